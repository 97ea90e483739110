"""A small job that is interrupted and resumed, for the checks of --resume."""
import json
import os

import numpy as np

from answers import graph, hashes, node
from harness import BIN, equal, expect, run, write_model

RANDOM = np.random.default_rng(33)
ROWS = 23
X = RANDOM.integers(-3, 4, (ROWS, 96)).astype(np.float32)
W = RANDOM.integers(-3, 4, (96, 16)).astype(np.float32)
LABELS = (X @ W).argmax(axis=1)
ONE = graph({"x": ["batch", 96]}, "y", node("MatMul", "x w", "y"))
# float32, int64 and bool.
SEVERAL = graph({"x": ["batch", 96]}, "y k positive", node("MatMul", "x w", "y"),
                node("ArgMax", "y", "k", axis=1, keepdims=0), node("Relu", "y", "r"),
                node("Cast", "r", "positive", to="bool"))
FAIL_FSYNC = BIN / "../tests/libfail_fsync.so"
LONG = os.environ.get("TPINFER_LONG_TESTS") == "1"


def job(folder, model=ONE, batch=4, output=None):
    """Arguments of the job; progress goes to disk after every batch."""
    if not (folder / "m.h5").exists():
        write_model(folder / "m.h5", model, {"w": W})
        np.save(folder / "x.npy", X)
        np.save(folder / "labels.npy", LABELS)
    return ["--model", folder / "m.h5", "--input", folder / "x.npy", "--save-every", "0",
            *(["--batch-size", batch] if batch else []), *(["--output", output] if output else [])]


def killed(arguments, fault="write output:0:3:kill", np=None):
    """A run that dies, by default before it writes its third batch."""
    result = run([*arguments, "--resume"], np=np, env={"TPINFER_FAULT": fault})
    expect(result.status in (137, 9), f"killed by {fault}: {result.status} {result.stderr}")
    return result


def synchronised(arguments, log):
    """A run without a launcher: the names of what it made sure of on disk, in order."""
    result = run(arguments, np=0, env={"LD_PRELOAD": FAIL_FSYNC, "FSYNC_LOG": log})
    equal(result.status, 0, result.stderr)
    return [os.path.basename(name) for name in log.read_text().splitlines()]


def done_in(path):
    """Rows done, by the progress of an output."""
    return json.loads(path.with_name(path.name + ".progress").read_text())["done"]


def left_in(folder):
    return sorted(p.name for p in folder.iterdir()
                  if p.name not in ("m.h5", "x.npy", "labels.npy", "want"))


def undisturbed(folder, arguments, name):
    """A run without --resume: its result and its file's bytes."""
    (folder / "want").mkdir(exist_ok=True)
    result = run([*arguments, "--output", folder / "want" / name])
    equal(result.status, 0, result.stderr)
    return result, (folder / "want" / name).read_bytes()


def same_run(got, want, resumed=True):
    """The hashes and all of stdout are those of the undisturbed run."""
    equal(hashes(got), hashes(want), "hashes")
    equal(got.stdout, want.stdout, "stdout")
    equal("tpinfer: resumed: " in got.stderr, resumed, f"resumed; {got.stderr}")
