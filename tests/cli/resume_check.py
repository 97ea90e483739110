#!/usr/bin/python3
# ranks: 1 2 3 8
"""Runs that are interrupted and go on (--resume): the final file is an undisturbed run's, byte for
byte, whatever the ranks, the batches and the place of the interruption."""
import json
import os
import re

import numpy as np

from answers import graph, hashes, node, sha256
from harness import *

RANDOM = np.random.default_rng(33)
ROWS = 23
X = RANDOM.integers(-3, 4, (ROWS, 96)).astype(np.float32)
W = RANDOM.integers(-3, 4, (96, 16)).astype(np.float32)
LABELS = (X @ W).argmax(axis=1)
ONE = graph({"x": ["batch", 96]}, "y", node("MatMul", "x w", "y"))
SEVERAL = graph({"x": ["batch", 96]}, "y k positive", node("MatMul", "x w", "y"),
                node("ArgMax", "y", "k", axis=1, keepdims=0), node("Relu", "y", "r"),
                node("Cast", "r", "positive", to="bool"))
LONG = os.environ.get("TPINFER_LONG_TESTS") == "1"
# Other numbers of ranks to go on with; all pairs of 1 2 3 5 8 in the long form.
OTHERS = (1, 2, 3, 5, 8) if LONG else (3 if NP == 1 else 1,)


def files(folder, model=ONE, batch=4):
    if not (folder / "m.h5").exists():
        write_model(folder / "m.h5", model, {"w": W})
        np.save(folder / "x.npy", X)
        np.save(folder / "labels.npy", LABELS)
    return ["--model", folder / "m.h5", "--input", folder / "x.npy", "--batch-size", batch,
            "--save-every", "0"]


def interrupted(arguments, at=3, np=None, fault=None):
    """A run whose rank 0 is killed before it writes its at-th batch."""
    result = run([*arguments, "--resume"], np=np,
                 env={"TPINFER_FAULT": fault or f"write output:0:{at}:kill"})
    expect(result.status in (137, 9), f"killed: {result.status} {result.stderr}")
    return result


def left_in(folder):
    return sorted(p.name for p in folder.iterdir()
                  if p.name not in ("m.h5", "x.npy", "labels.npy", "want"))


def undisturbed(folder, arguments, name):
    (folder / "want").mkdir(exist_ok=True)
    result = run([*arguments, "--output", folder / "want" / name])
    equal(result.status, 0, result.stderr)
    return result, (folder / "want" / name).read_bytes()


def same_run(got, want, resumed=True):
    """The hashes and all of stdout are those of the undisturbed run."""
    equal(hashes(got), hashes(want), "hashes")
    equal(got.stdout, want.stdout, "stdout")
    equal("tpinfer: resumed: " in got.stderr, resumed, f"resumed; {got.stderr}")


@check
def killed_and_resumed_in_every_format(folder):
    for name in ("y.npy", "y.npz", "y.h5", "y.json"):
        model = ONE if name == "y.npy" else SEVERAL
        (folder / "m.h5").unlink(missing_ok=True)
        arguments = [*files(folder, model), "--labels", folder / "labels.npy"]
        want, content = undisturbed(folder, arguments, name)
        out = [*arguments, "--output", folder / name]
        interrupted(out)
        equal(left_in(folder), [f"{name}.part", f"{name}.progress"], "files of the interrupted run")
        progress = json.loads((folder / f"{name}.progress").read_text())
        equal((progress["done"], progress["total"]), (8, ROWS), "progress")
        got = run([*out, "--resume"])
        same_run(got, want)
        expect((folder / name).read_bytes() == content, f"{name} is the undisturbed run's")
        equal(left_in(folder), [name], "files")
        contains(got.stdout, f"accuracy {ROWS}/{ROWS}", "accuracy")
        (folder / name).unlink()


@check
def on_other_ranks_and_batches(folder):
    arguments = files(folder)
    want, content = undisturbed(folder, arguments, "y.npy")
    print("undisturbed", hashes(want)["y"])
    for other in OTHERS:
        for batch in (1, 5, None) if LONG or other == OTHERS[0] else (5,):
            out = [*arguments, "--output", folder / "y.npy"]
            interrupted(out)
            more = [a for a in out if a not in ("--batch-size", 4)] if batch is None else [
                *out, "--batch-size", batch]
            if batch is not None:
                more = [*files(folder, batch=batch), "--output", folder / "y.npy"]
            got = run([*more, "--resume", "--threads", "2", "--kernels", "blas"], np=other)
            same_run(got, want)
            print(f"{NP} ranks, then {other}", hashes(got)["y"])
            expect((folder / "y.npy").read_bytes() == content, "the file")
            equal(left_in(folder), ["y.npy"], "files")


main()
