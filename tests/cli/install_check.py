#!/usr/bin/python3
# ranks: none
"""cmake --install: what is there, that it runs elsewhere, and that programs build against it."""
import os
import re
import shutil
import stat

import numpy as np

from answers import MATMUL_NEG, filled, hashes
from harness import *
from installation import BUILD, has_library, mpirun, prefix, script, using

LONG = os.environ.get("TPINFER_LONG_TESTS") == "1"


def project_version():
    return re.search(r"VERSION (\S+) DESC", (SOURCE / "CMakeLists.txt").read_text())[1]


@check
def everything_is_in_its_place(folder):
    version = project_version()
    wanted = ["bin/tpinfer", "bin/tpmodel", "libexec/tpinfer/tpinfer-preflight",
              "lib/cmake/tpinfer/tpinferConfig.cmake",
              "lib/cmake/tpinfer/tpinferConfigVersion.cmake",
              "lib/cmake/tpinfer/tpinferAddCheck.cmake",
              "share/bash-completion/completions/tpinfer",
              "share/bash-completion/completions/tpmodel", "share/man/man1/tpinfer.1",
              "share/man/man1/tpmodel.1", "share/man/man5/tpinfer-model.5",
              f"share/modulefiles/tpinfer/{version}", "share/tpinfer/models/fashion_mnist.h5",
              "share/tpinfer/models/matmul_neg.h5", "share/tpinfer/examples/library/main.cpp",
              "share/tpinfer/examples/harness/reframe_tpinfer.py"]
    scripts = ["harness/run_check.sh", *(f"slurm/{name}.sbatch" for name in (
        "one-node", "many-nodes", "array", "requeue"))]
    programs = ["bin/tpinfer-launch", *(f"share/tpinfer/examples/{name}" for name in scripts)]
    equal([name for name in programs if not os.access(prefix() / name, os.X_OK)], [],
          "missing, or not to be run")
    if has_library():
        wanted += ["include/tpinfer/tpinfer.hpp", "include/tpinfer/mpi.hpp",
                   "include/tpinfer/error.hpp", "lib/libtpinfer.so", "lib/pkgconfig/tpinfer.pc",
                   "lib/cmake/tpinfer/tpinferTargets.cmake"]
    equal([name for name in wanted if not (prefix() / name).exists()], [], "missing")
    headers = [str(path) for path in prefix().rglob("*.hpp")]
    equal(len(headers), 3 if has_library() else 0, f"headers {headers}")
    for path in prefix().rglob("*"):
        if path.suffix in (".cmake", ".pc", ".hpp") or path.name == version:
            text = path.read_text()
            expect(str(SOURCE) not in text and "/first" not in text,
                   f"{path} names a folder of the build")


@check
def a_moved_installation_runs(folder):
    models = prefix() / "share/tpinfer/models"
    for model, answers in (("fashion_mnist.h5", "3/3"), ("matmul_neg.h5", "1/1")):
        result = script(f"{mpirun(2)} tpinfer --model {models / model} --check --quiet",
                        using(prefix()))
        equal((result.status, result.stdout), (0, f"check: PASS {answers}\n"), model)
    result = script(f"tpmodel verify {models}/fashion_mnist.h5", using(prefix()))
    contains(result.stdout, "verify: OK", f"tpmodel; {result.stderr}")
    # Without its helper it says where it looked.
    shutil.copytree(prefix() / "bin", folder / "bin")
    result = script(f"{folder}/bin/tpinfer --model {models}/matmul_neg.h5", using(prefix()))
    equal(result.status, 78, f"status; {result.stderr}")
    contains(result.stderr, "tpinfer-preflight", "stderr")


@check
def the_library_shows_its_interface_only(folder):
    if not has_library():
        raise Skipped("this build has no libtpinfer")
    result = script(f"nm -DC --defined-only {prefix()}/lib/libtpinfer.so")
    ours = [line for line in result.stdout.splitlines() if "tpinfer::" in line]
    expect(len(ours) > 8, f"symbols: {result.stdout}")
    equal([line for line in ours if not re.search(
        r"tpinfer::(Model::|sha256\b|version\b)|(typeinfo|vtable).*tpinfer::Error|std::", line)],
        [], "symbols that are not of tpinfer/tpinfer.hpp")
    others = [line for line in result.stdout.splitlines()
              if re.search(r" T (?!tpinfer::|std::)", line) and not re.search(r" [VWu] ", line)]
    equal([line for line in others if not line.endswith((" _init", " _fini"))], [],
          "symbols of other libraries")


def build_example(folder):
    """The installed example, built by CMake and by make: [programs]."""
    shutil.copytree(prefix() / "share/tpinfer/examples/library", folder / "example")
    text = ("cmake -S . -B build -G Ninja\ncmake --build build\n"
            "make\n")
    result = script(text, using(prefix()), cwd=folder / "example")
    equal(result.status, 0, f"building the example: {result.stdout[-1500:]} {result.stderr[-1500:]}")
    return [folder / "example/build/two_halves", folder / "example/two_halves"]


@check
def cmake_and_pkg_config_find_the_library(folder):
    if not has_library():
        raise Skipped("this build has no libtpinfer")
    model = prefix() / "share/tpinfer/models/matmul_neg.h5"
    want = hashes(run(["--model", model, "--input", "ones"], np=1))["y"]
    runs = {1: [1], 2: [1, 1], 3: [2, 1], 8: [4, 4]}  # ranks of the halves that are not empty
    for program, ranks in zip(build_example(folder), ([1, 3, 8], [2, 8])):
        for np_ in ranks:
            result = script(f"{mpirun(np_)} {program} {model}", using(prefix()))
            got = sorted(re.findall(r"(\d+) ranks, output y sha256 (\w+)", result.stdout))
            equal((result.status, result.stderr), (0, ""), f"{program} on {np_} ranks")
            halves = [1] if np_ == 1 else [half for half in runs[np_] if half]
            equal(got, sorted((str(half), want) for half in halves), f"hashes on {np_} ranks")
    result = script(f"{mpirun(3)} {program} none.h5", using(prefix()))
    equal(result.status, 66, f"no model; {result.stderr}")
    equal(len(re.findall(r"^half \d: open model: .*none\.h5", result.stderr, re.M)), 2, "its lines")


@check
def cmake_users_get_tests_of_models(folder):
    write_model(folder / "wrong.h5", MATMUL_NEG, {"w": filled(0.5)},
                [{"inputs": {"x": np.ones((128, 96), np.float32)},
                  "outputs": {"y": np.zeros((128, 16), np.float32)}}])
    (folder / "CMakeLists.txt").write_text(f"""
        cmake_minimum_required(VERSION 3.22)
        project(checks LANGUAGES NONE)
        find_package(tpinfer {project_version()[:3]} REQUIRED)
        enable_testing()
        tpinfer_add_check(right "${{tpinfer_MODELS_DIR}}/fashion_mnist.h5" "1;2"
                          OPTIONS --mesh tp=1 --mesh dp=1 TIMEOUT 60 LABELS mine)
        tpinfer_add_check(wrong wrong.h5 2 OPTIONS --quiet)
        """.replace("--mesh tp=1 --mesh dp=1", "--plan fastest"))
    result = script("cmake -S . -B build && ctest --test-dir build --output-on-failure || true",
                    using(prefix()), cwd=folder)
    for pattern in (r"right\.np1 \.+ +Passed", r"right\.np2 \.+ +Passed",
                    r"wrong\.np2 \.+\*\*\*Failed", r"check: FAIL 1/1 y\[0,0\]", r"mine +="):
        expect(re.search(pattern, result.stdout), f"{pattern} is not in {result.stdout}"
               f"{result.stderr}")
    for arguments, part in (("right model.h5 none", "no number of ranks"),
                            ("right model.h5 2 QUICK", "unknown arguments QUICK")):
        (folder / "CMakeLists.txt").write_text(f"""
            cmake_minimum_required(VERSION 3.22)
            project(checks LANGUAGES NONE)
            find_package(tpinfer REQUIRED)
            tpinfer_add_check({arguments})
            """)
        result = script("cmake -S . -B other", using(prefix()), cwd=folder)
        expect(result.status != 0 and part in " ".join(result.stderr.split()), result.stderr)


def as_user(folder, text, timeout=250):
    """Runs lines of bash as a user without rights, whose home is `folder`."""
    drop = "setpriv --reuid 65534 --regid 65534 --clear-groups " if os.geteuid() == 0 else ""
    path = ":".join(str(p) for p in (folder / "bin", "/usr/bin", "/bin"))
    (folder / "user.sh").write_text("set -eu\n" + text)
    return script(f"{drop}env -i HOME={folder} PATH={path} USER=nobody LANG=C.UTF-8 "
                  f"OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1 "
                  f"bash {folder}/user.sh", timeout=timeout, cwd=folder)


@check
def an_ordinary_user_builds_and_installs_without_apt(folder):
    folder.chmod(0o755)
    source = folder / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("build", ".git", ".cache"))
    for name in ("apt-get", "apt", "dpkg", "dpkg-query", "sudo"):  # nobody asks for these
        tool = folder / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text("#!/bin/sh\necho \"$0 $*\" >> ~/asked\nexit 1\n")
        tool.chmod(0o755)
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
    # The whole build takes minutes: here what needs no time, and the installation of this build.
    build = ("cmake --build build\ncmake --install build --prefix ~/prefix\n" if LONG else
             "cmake --build build --target tpinfer_base\n" + install_of_this_build(folder))
    launcher = "ccache" if LONG and shutil.which("ccache") else ""
    result = as_user(folder, f"""
        cmake -S ~/source -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTPINFER_TESTS=OFF \\
              -DTPINFER_BENCH=OFF -DCMAKE_CXX_COMPILER_LAUNCHER={launcher}
        {build}
        mpirun -n 2 ~/prefix/bin/tpinfer --check --quiet \\
               --model ~/prefix/share/tpinfer/models/fashion_mnist.h5
        """, timeout=1500 if LONG else 250)
    equal(result.status, 0, f"status; {result.stdout[-1500:]} {result.stderr[-1500:]}")
    contains(result.stdout, "check: PASS 3/3", "stdout")
    expect(not (folder / "asked").exists(), "apt, dpkg or sudo were called")
    owner = os.stat(folder / "prefix/bin/tpinfer")
    equal(owner.st_uid, 65534 if os.geteuid() == 0 else os.geteuid(), "the owner")
    expect(owner.st_mode & stat.S_IXUSR, "it can be run")


def install_of_this_build(folder):
    """Lines that install the build under test, whose folder the user cannot write to."""
    readable = script(f"setpriv --reuid 65534 --regid 65534 --clear-groups test -r '{BUILD}/bin/tpinfer'"
                      if os.geteuid() == 0 else "true")
    if readable.status != 0 and not os.environ.get("CI"):
        raise Skipped(f"another user cannot read {BUILD}")
    text = (BUILD / "cmake_install.cmake").read_text()
    (folder / "install.cmake").write_text(text.replace(
        f'file(WRITE "{BUILD}/${{CMAKE_INSTALL_MANIFEST}}"', f'file(WRITE "{folder}/manifest"'))
    return "cmake -DCMAKE_INSTALL_PREFIX=$HOME/prefix -P ~/install.cmake\n"


main()
