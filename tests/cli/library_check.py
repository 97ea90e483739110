#!/usr/bin/python3
# ranks: 1 2 3 8
"""libtpinfer in a program that has called MPI_Init itself (tests/library/library_probe.cpp)."""
import re

import numpy as np

from answers import MATMUL_NEG, STREAMED, filled, hashes
from harness import *

PROBE = BIN / "../tests/library_probe"


def models(folder):
    """A model of fixed extents, one with a batch, one that is damaged."""
    if not PROBE.exists():
        raise Skipped("this build has no libtpinfer")
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    write_model(folder / "b.h5", STREAMED, {"w": filled(0.5)})
    (folder / "d.h5").write_bytes((folder / "m.h5").read_bytes()[:3000])
    return [folder / "m.h5", folder / "b.h5", folder / "d.h5"]


def expected(folder):
    """What tpinfer itself gives for the runs of the program."""
    np.save(folder / "five.npy", np.ones((5, 96), np.float32))
    result = {}
    for name, file, source in (("matmul", "m.h5", "ones"), ("batched", "b.h5", "ones"),
                               ("batched5", "b.h5", folder / "five.npy")):
        result[name] = hashes(run(["--model", folder / file, "--input", f"x={source}"], np=1))["y"]
    return result


@check
def a_program_runs_models_on_its_own_communicators(folder):
    arguments = models(folder)
    want = expected(folder)
    level = {1: "single", 2: "multiple"}.get(NP, "funneled")
    result = run([level, *arguments], program=PROBE)
    equal(result.status, 0, f"status; {result.stdout[-2000:]} {result.stderr}")
    equal(result.stderr, "", "stderr, on which the library says nothing")
    got = re.findall(r"^hash (\w+) (\w+)$", result.stdout, re.M)
    expect(len(got) >= 10 + NP, f"only {len(got)} hashes")
    equal([line for line in got if want[line[0]] != line[1]], [], "hashes unlike tpinfer's")
    equal([line for line in result.stdout.splitlines()
           if not re.match(r"(hash \w+ \w+|\d+ passed, 0 failed)$", line)], [], "other lines")
    no_leftovers(folder)


@check
def variables_of_other_options_do_not_count(folder):
    if NP != 2:
        return expect(True, "two ranks are enough")
    (folder / "run.ini").write_text("nonsense = 1\n")
    others = {"RESUME": "1", "BATCH": "4", "METHOD": "x", "INSTANCES": "7", "PRINT_RANK": "z",
              "STOP_AFTER": "5m", "QUIET": "maybe", "TIMEOUT": "many", "CONFIG": folder / "run.ini"}
    result = run(["single", *models(folder)], program=PROBE,
                 env={f"TPINFER_{name}": str(value) for name, value in others.items()})
    contains(result.stdout, " passed, 0 failed", f"stdout; {result.stderr}")


@check
def the_watchdog_is_for_those_who_ask(folder):
    if NP != 2:
        return expect(True, "two ranks are enough")
    arguments = ["watchdog", *models(folder)]
    result = run(arguments, program=PROBE)
    equal((result.status, result.stderr), (0, ""), "a rank that is long away from the library")
    result = run(arguments, program=PROBE, env={"TPINFER_FAULT": "step:1:1:hang"})
    equal(result.status, 75, f"a rank that hangs inside; {result.stderr}")
    contains(result.stderr, "rank 1", "stderr")
    no_leftovers(folder)


main()
