#!/usr/bin/python3
# ranks: none
"""Built with MPICH, on no more ranks than cores: the communicators' own tests, the known answers, the
bits that Open MPI gives, and what its launcher makes of failures.

It builds what it needs with the preset mpich, beside the build under test: with a compiler cache
half a minute, else three minutes of two cores. So it runs with TPINFER_LONG_TESTS=1, or where
build/mpich is there already.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).parents[1] / folder) for folder in ("cli", "hosts")]

from network import write_network

from answers import hashes
from harness import *

LAUNCHER = "mpiexec.mpich"
BUILD = SOURCE / "build/mpich"
TARGETS = ["tpinfer", "tpmodel", "tpinfer-preflight", "test_comm"]
ROWS = 400
built = False


def need_mpich():
    """Builds, once; skips where that is not wanted or not possible."""
    global built
    if built:
        return
    for tool in ("mpicc.mpich", LAUNCHER, "cmake", "ninja"):
        if not shutil.which(tool):
            raise Skipped(f"no {tool}; install libmpich-dev and mpich")
    if not os.environ.get("TPINFER_LONG_TESTS") and not (BUILD / "bin/tpinfer").exists():
        raise Skipped("no build with MPICH; TPINFER_LONG_TESTS=1 makes one")
    cache = (["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else [])
    for words in (["cmake", "--preset", "mpich", "-DTPINFER_BENCH=OFF", *cache],
                  ["cmake", "--build", BUILD, "-j2", "--target", *TARGETS]):
        done = subprocess.run(words, cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env=environment())
        if done.returncode != 0:
            raise AssertionError(f"{words}: {done.stdout[-2000:]}")
    built = True


def with_mpich(words, ranks, env=None, seconds=60):
    """Runs words under MPICH's launcher: a Result."""
    started = time.monotonic()
    process = subprocess.Popen([LAUNCHER, "-bind-to", "none", "-n", str(ranks), *map(str, words)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment(env))
    return finish(process, seconds, started)


def tpinfer(args, ranks=2, **options):
    return with_mpich([BUILD / "bin/tpinfer", *args], ranks, **options)


@check
def the_library_is_mpich(folder):
    need_mpich()
    contains(tpinfer(["--version"], 1).stdout, "MPICH 4", "--version")


@check
def communicators(folder):
    need_mpich()
    for ranks in (1, 2):
        result = with_mpich([BUILD / "tests/test_comm"], ranks, seconds=120)
        equal(result.status, 0, f"test_comm on {ranks}; {(result.stdout + result.stderr)[-2000:]}")


@check
def the_checks_of_the_command_line(folder):
    need_mpich()
    names = ["known_answers", "mesh"]
    if os.environ.get("TPINFER_LONG_TESTS"):
        names += ["inputs", "settings", "strategies"]
    for name in names:
        script = SOURCE / f"tests/cli/{name}_check.py"
        counts = [n for n in ("1", "2") if n in script.read_text().splitlines()[1].split()]
        for ranks in counts:
            done = subprocess.run([sys.executable, script], text=True, stdout=subprocess.PIPE,
                                  env=environment({"TPINFER_MPIEXEC": LAUNCHER, "TPINFER_NP": ranks,
                                                   "TPINFER_BIN": BUILD / "bin"}))
            equal(done.returncode, 0, f"{name} on {ranks}: {done.stdout[-3000:]}")


@check
def the_same_bits_as_with_open_mpi(folder):
    need_mpich()
    given = ["--model", write_network(folder), "--input", folder / "x.npy"]
    want = hashes(run(given, np=2))
    for ranks, more in ((1, []), (2, []), (2, ["--mesh", "pp=2"]), (2, ["--mesh", "dp=2"])):
        equal(hashes(tpinfer([*given, *more], ranks)), want, f"{ranks} ranks {more}")


def faulty(folder, fault, **options):
    given = ["--model", write_network(folder, rows=ROWS), "--input", folder / "x.npy",
             "--batch-size", 10, "--output", folder / "y.npy", "--quiet", "--timeout", 2]
    return tpinfer(given, env={"TPINFER_FAULT": fault}, **options)


@check
def what_the_launcher_makes_of_failures(folder):
    need_mpich()
    for fault, status, text in (("load weights:1:1:error", 65, "load weights"),
                                ("step:1:3:hang", 75, "rank 1"),
                                ("step:1:3:throw", 70, "rank 1"),
                                ("step:1:3:stop", 75, "rank 1"),
                                ("step:1:3:kill", 9, ""), ("step:1:3:segv", 11, ""),
                                ("step:1:3:exit0", None, "")):
        (folder / "y.npy").unlink(missing_ok=True)
        result = faulty(folder, fault)
        if status is not None:
            equal(result.status, status, f"status after {fault}; {result.stderr}")
        contains("\n".join(tpinfer_lines(result.stderr)), text, f"lines after {fault}")
        expect(result.seconds < 10, f"{fault}: {result.seconds:.1f} s")
        # exit0 is why a status of 0 is no proof under MPICH, and a file is one.
        expect(not (folder / "y.npy").exists(), f"{fault}: there is an output")
        print(f"{fault}: status {result.status} after {result.seconds:.1f} s", flush=True)
        no_leftovers(folder)


@check
def the_wrong_launcher(folder):
    need_mpich()
    model = write_network(folder)
    ours = run(["--model", model, "--input", "x=ones"], np=2)
    equal(ours.status, 0, f"Open MPI with its own; {ours.stderr}")
    result = with_mpich([BIN / "tpinfer", "--model", model, "--input", "x=ones"], 2)
    refused(result, 78, "wrong launcher")


main()
