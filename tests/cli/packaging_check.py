#!/usr/bin/python3
# ranks: none
"""What an installation gives besides programs: manual pages, completion, modules, harnesses."""
import ast
import os
import pathlib
import re
import shutil
import sys
import types

import numpy as np

from answers import MATMUL_NEG, filled
from harness import *
from installation import mpirun, prefix, script, using

SUBCOMMANDS = ["import", "inspect", "plan", "shard", "reshard", "merge", "verify", "diff"]


def needs(tool):
    """A tool of Debian's. Without it the check is skipped; in CI it fails."""
    if not pathlib.Path(tool).exists() and not shutil.which(tool) and not os.environ.get("CI"):
        raise Skipped(f"no {tool}")


def options_of(*command):
    text = run([*command[1:], "--help"], np=0, program=command[0]).stdout
    return re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", text, re.M)


@check
def manual_pages_say_all_options(folder):
    needs("mandoc")
    pages = {name: prefix() / "share/man" / f"man{name[-1]}" / name
             for name in ("tpinfer.1", "tpmodel.1", "tpinfer-model.5")}
    text = {}
    for name, page in pages.items():
        lint = script(f"mandoc -T lint -W warning {page}")
        equal((lint.status, lint.stdout), (0, ""), f"mandoc -T lint {name}")
        shown = script(f"mandoc -T utf8 {page} | col -b").stdout
        text[name] = re.sub(r"[\u2010\u2212]", "-", shown)
        expect(len(text[name].splitlines()) > 100, f"{name} is short")
        contains(text[name], (SOURCE / "CMakeLists.txt").read_text().split("VERSION ")[2].split()[0],
                 "its version")
    expect(len(options_of("tpinfer")) > 25, "options of tpinfer")
    for command in (("tpinfer",), *(("tpmodel", name) for name in SUBCOMMANDS)):
        page = f"{command[0]}.1"
        missing = [o for o in options_of(*command) if not re.search(rf"{o}\b", text[page])]
        equal(missing, [], f"options of {' '.join(command)} that {page} does not say")
    for name in ("tpinfer.1", "tpmodel.1"):
        contains(text[name], "EXIT STATUS", name)


def completions(words, program="tpinfer"):
    """What <TAB> behind these words (a command line, the last word unfinished) offers."""
    *before, current = words.split(" ")
    line = " ".join(f"'{word}'" for word in [program, *before, current])
    previous = before[-1] if before else program
    return script(f"""
        source {prefix()}/share/bash-completion/completions/{program}
        COMP_WORDS=({line}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _tpinfer {program} '{current}' '{previous}'
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """, using(prefix()), cwd=prefix() / "share/tpinfer/models").stdout.split()


@check
def bash_completes_options_values_and_files(folder):
    equal(completions("--mo"), ["--model", "--model-version"], "--mo")
    equal(sorted(completions("--")), sorted(options_of("tpinfer")), "--")
    equal(completions("--plan "), ["cut", "fastest", "batch"], "--plan")
    equal(completions("--plan f"), ["fastest"], "--plan f")
    equal(completions("--progress = l"), ["lines"], "--progress=l")
    equal(completions("--model f"), ["fashion_mnist.h5"], "a file")
    equal(completions("--plan cut -"), completions("--"), "after a value")
    equal(completions("nothing-of-this"), [], "no such file")
    equal(completions("ver", "tpmodel"), ["verify"], "a subcommand")
    equal(sorted(completions("", "tpmodel")), sorted(SUBCOMMANDS), "subcommands")
    equal(completions("plan --ra", "tpmodel"), ["--ranks", "--rank-weights"], "plan --ra")
    equal(completions("plan --plan b", "tpmodel"), ["batch"], "plan --plan b")
    equal(completions("verify fash", "tpmodel"), ["fashion_mnist.h5"], "verify fash")
    equal(completions("lau"), ["launch"], "lau")
    equal(completions("launch -k 2 --"), options_of("tpinfer", "launch"), "launch --")
    equal(completions("launch --restart "), ["on-failure"], "launch --restart")
    equal(completions("launch -k 2 -- --plan f"), ["fastest"], "behind --")
    equal(completions("--graph main l"), [], "launch comes first or not at all")


@check
def bash_completion_loads_it(folder):
    needs("/usr/share/bash-completion/bash_completion")
    result = script(f"""
        set +eu
        source /usr/share/bash-completion/bash_completion
        _completion_loader tpinfer
        complete -p tpinfer
        """, using(prefix(), XDG_DATA_DIRS=f"{prefix()}/share"))
    equal(result.stdout, "complete -F _tpinfer tpinfer\n", "the completion")


@check
def an_environment_module_finds_everything(folder):
    needs("/usr/share/modules/init/bash")
    version = re.search(r"VERSION (\S+) DESC", (SOURCE / "CMakeLists.txt").read_text())[1]
    result = script(f"""
        set +eu
        source /usr/share/modules/init/bash
        module use {prefix()}/share/modulefiles
        module load tpinfer
        module list -t 2>&1 | tail -1
        command -v tpinfer
        pkg-config --modversion tpinfer
        echo $TPINFER_ROOT
        man -w tpinfer
        module unload tpinfer
        command -v tpinfer || echo gone
        """, using("/nowhere", PATH="/usr/bin:/bin", PKG_CONFIG_PATH=None, CMAKE_PREFIX_PATH=None))
    lines = result.stdout.splitlines()
    place = str(prefix().resolve())
    equal([line.replace(str(prefix()), place) for line in lines],
          [f"tpinfer/{version}", f"{place}/bin/tpinfer", version, place,
           f"{place}/share/man/man1/tpinfer.1", "gone"], f"after loading; {result.stderr}")


@check
def the_spack_recipe_is_python_and_names_what_cmake_wants(folder):
    path = SOURCE / "scripts/packaging/spack/package.py"
    tree = ast.parse(path.read_text(), str(path))
    recipe = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    equal(recipe.name, "Tpinfer", "the class")
    calls = [node for node in ast.walk(recipe) if isinstance(node, ast.Call)
             and getattr(node.func, "id", "") in ("depends_on", "version")]
    specs = [call.args[0].value for call in calls]
    names = {re.split(r"[@~+ ]", spec)[0] for spec in specs}
    packages = {"fmt": "fmt", "Eigen3": "eigen", "OpenSSL": "openssl", "ZLIB": "zlib-api",
                "nlohmann_json": "nlohmann-json", "MPI": "mpi", "HDF5": "hdf5", "CLI11": "cli11",
                "CBLAS": "openblas", "HWY": "highway", "LIBZIP": "libzip",
                "PkgConfig": "pkgconfig", "Threads": None, "OpenMP": None}
    text = (SOURCE / "CMakeLists.txt").read_text()
    wanted = re.findall(r"^(?:find_package|pkg_check_modules)\((\w+)", text, re.M)
    expect(len(wanted) > 12, f"packages of CMake: {wanted}")
    equal([name for name in wanted if name not in packages], [], "packages unknown to this check")
    equal([packages[name] for name in wanted if packages[name] and packages[name] not in names], [],
          "packages that the recipe does not name")
    expect(re.search(r"VERSION (\S+) DESC", text)[1] in specs, f"the version in {specs}")


def fake_reframe():
    """As much of ReFrame as the test file uses: its assertions raise AssertionError."""
    frame, utility = types.ModuleType("reframe"), types.ModuleType("reframe.utility")
    sanity = types.ModuleType("reframe.utility.sanity")
    frame.simple_test = lambda cls: cls

    class RunOnlyRegressionTest:
        pass

    class Space(dict):  # names that a test's body may use, as ReFrame's metaclass gives them
        def __init__(self):
            super().__init__(parameter=lambda values: values, sanity_function=lambda f: f,
                             performance_function=lambda unit: lambda f: f)

    class Meta(type):
        @classmethod
        def __prepare__(mcs, name, bases):
            return Space()

    frame.RunOnlyRegressionTest = Meta("RunOnlyRegressionTest", (RunOnlyRegressionTest,), {})
    sanity.all = all

    def found(pattern, file):
        if not re.search(pattern, pathlib.Path(file).read_text(), re.M):
            raise AssertionError(f"{pattern} not found")
        return True

    def not_found(pattern, file):
        if re.search(pattern, pathlib.Path(file).read_text(), re.M):
            raise AssertionError(f"{pattern} found")
        return True

    sanity.assert_found, sanity.assert_not_found = found, not_found
    sanity.extractsingle = lambda pattern, file, tag, conv: conv(
        re.search(pattern, pathlib.Path(file).read_text(), re.M)[tag])
    frame.utility, utility.sanity = utility, sanity
    return {"reframe": frame, "reframe.utility": utility, "reframe.utility.sanity": sanity}


@check
def the_reframe_tests_understand_real_output(folder):
    modules = fake_reframe()
    sys.modules.update(modules)
    os.environ["TPINFER_ROOT"] = str(prefix())
    path = SOURCE / "examples/harness/reframe_tpinfer.py"
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    for name in modules:
        del sys.modules[name]

    def output(cls, ranks, *more):
        test = cls()
        test.num_tasks, test.stdout, test.stderr = ranks, folder / "out", folder / "err"
        result = script(f"{mpirun(ranks)} {test.executable} " +
                        " ".join(f"'{word}'" for word in [*test.executable_opts, *more]),
                        using(prefix()))
        test.stdout.write_text(result.stdout)
        test.stderr.write_text(result.stderr)
        return test

    equal(names["TpinferBase"].num_tasks, [1, 2, 4], "rank counts")
    expect(output(names["TpinferKnownAnswers"], 2).all_answers_agree(), "known answers")
    test = output(names["TpinferRun"], 2)
    expect(test.all_ranks_agree() and test.rows_per_second() > 0, "a run")
    test.num_tasks = 4
    for broken in (test.all_ranks_agree, output(names["TpinferKnownAnswers"], 1,
                                                "--graph", "none").all_answers_agree):
        try:
            broken()
            expect(False, f"{broken.__name__} passes on a wrong output")
        except AssertionError:
            expect(True, "it fails")


@check
def the_shell_example_tells_passed_failed_and_skipped(folder):
    program = prefix() / "share/tpinfer/examples/harness/run_check.sh"
    models = prefix() / "share/tpinfer/models"
    write_model(folder / "wrong.h5", MATMUL_NEG, {"w": filled(0.5)},
                [{"inputs": {"x": np.ones((128, 96), np.float32)},
                  "outputs": {"y": np.zeros((128, 16), np.float32)}}])

    def ran(arguments, **variables):
        result = script(f"sh {program} {arguments}", using(prefix(), MPIEXEC=MPIEXEC, **variables))
        return result.status, result.stdout.split(" y[")[0].strip()

    equal(ran(f"{models}/fashion_mnist.h5 2"), (0, "check: PASS 3/3"), "right answers")
    equal(ran(f"{folder}/wrong.h5 2"), (1, "check: FAIL 1/1"), "wrong answers")
    equal(ran("none.h5 2"), (66, "no answer, exit code 66"), "no model")
    equal(ran("x.h5 2", PATH="/usr/bin:/bin"), (77, ""), "no tpinfer")
    equal(ran("x.h5"), (64, ""), "too few arguments")


main()
