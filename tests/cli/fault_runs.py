"""A small run for checks that disturb it, and what must be true of it however it ends: the answer is
the oracle's or there is none, an older output is whole, and nothing is left behind.

The long form (TPINFER_LONG_TESTS=1) repeats each case 20 times. table() prints what was measured.
"""
import collections
import concurrent.futures
import hashlib
import os
import re
import shutil
import time

import h5py
import numpy as np

from answers import graph, node
from harness import NP, equal, expect, no_leftovers, run, tpinfer_lines, write_model
from programs import TIMED_OUT

LONG = os.environ.get("TPINFER_LONG_TESTS") == "1"
REPEATS = 20 if LONG else 1
ROWS = 12
LIMIT = 1.5  # of the watchdog, in seconds
# Loaded machines start ranks slowly, and Open MPI takes 2 s to end those of a rank that died.
START = 10

OLDER = b"older"
_rows = collections.OrderedDict()
_oracle = {}

NETWORK = graph({"x": ["batch", 96]}, "y", node("MatMul", "x v", "h"), node("Relu", "h", "r"),
                node("MatMul", "r w", "y"))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Run:
    """One model, one input, one older output in `folder`, and the arguments that use them."""

    def __init__(self, folder, output="y.npy", batch=2):
        self.folder = folder
        noise = np.random.default_rng(4)
        write_model(folder / "m.h5", NETWORK,
                    {"v": noise.standard_normal((96, 48), np.float32),
                     "w": noise.standard_normal((48, 16), np.float32)})
        np.save(folder / "x.npy", noise.standard_normal((ROWS, 96), np.float32))
        self.output = folder / output
        self.model_digest = digest(folder / "m.h5")
        self.arguments = ["--model", folder / "m.h5", "--input", folder / "x.npy", "--output",
                          self.output, "--quiet", "--batch-size", batch, "--timeout", LIMIT]
        if output not in _oracle:
            result = run(self.arguments, np=1)
            equal((result.status, result.stderr), (0, ""), "the oracle")
            _oracle[output] = self.values()
        self.output.write_bytes(OLDER)
        self.files = sorted(path.name for path in folder.iterdir())

    def values(self):
        """The output's values: the bytes of a file may hold a date."""
        if self.output.suffix == ".h5":
            with h5py.File(self.output) as file:
                return file["y"][...].tobytes()
        if self.output.suffix in (".npy", ".npz"):
            loaded = np.load(self.output)
            return (loaded if self.output.suffix == ".npy" else loaded["y"]).tobytes()
        return self.output.read_bytes()

    def disturbed(self, case, status, within, fault=None, words=(), lines=1, ends=run, **options):
        """Runs once, or REPEATS times in the long form. `status`: the one code, or all that are
        right. ends(arguments, **options) is what starts and ends the run."""
        for _ in range(REPEATS):
            self.output.write_bytes(OLDER)
            env = {"TPINFER_FAULT": fault, **options.get("env", {})} if fault else \
                options.get("env")
            result = ends(self.arguments, **{**options, "env": env})
            self.judge(case, result, status, within, words, lines)
        return result

    def judge(self, case, result, status, within, words=(), lines=1, ranks=NP, may_leave=None,
              right=None):
        """What is true however the run ended."""
        said = tpinfer_lines(result.stderr)
        allowed = (status,) if isinstance(status, int) else status
        expect(result.status in allowed,
               f"{case}: status {result.status}, want {status}; {said or result.stderr!r}")
        expect(result.seconds < within, f"{case}: {result.seconds:.1f} s, want {within}")
        expect(len(said) <= lines, f"{case}: lines {said}")
        for word in words:
            expect(any(word in line for line in said), f"{case}: {word!r} is not in {said}")
        right = _oracle[self.output.name] if right is None else right
        whole = self.output.read_bytes() == OLDER or self.values() == right
        if result.status == 0:
            whole = self.output.read_bytes() != OLDER and whole
        expect(whole, f"{case}: status {result.status}, and the output is neither old nor right")
        equal(digest(self.folder / "m.h5"), self.model_digest, f"{case}: the model")
        found = sorted(path.name for path in self.folder.iterdir())
        if may_leave:
            found = [name for name in found if not re.fullmatch(may_leave, name)]
            for name in set(os.listdir(self.folder)) - set(found):
                (self.folder / name).unlink()
        equal(found, self.files, f"{case}: files")
        clean = no_leftovers(self.folder)
        note(case, result, "nothing" if clean else "SOMETHING", ranks)


def side_by_side(folder, cases, workers=4, repeats=REPEATS):
    """Runs cases at once, each in a folder of its own, for most of a failed run is the launcher's
    waiting. cases: dicts with what Run.disturbed() takes, and perhaps "arguments" to add."""
    cases = [case for case in cases for _ in range(repeats)]
    runs = []
    for index, case in enumerate(cases):
        own = folder / str(index)
        own.mkdir()
        runs.append(Run(own, case.get("output", "y.npy"), case.get("batch", 2)))

    def one(index):
        case = cases[index]
        env = {**case.get("env", {})}
        if "fault" in case:
            env["TPINFER_FAULT"] = case["fault"]
        return run([*runs[index].arguments, *case.get("arguments", ())], np=case.get("np"), env=env,
                   launcher=case.get("launcher", ()))

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(one, range(len(cases))))
    for case, own, result in zip(cases, runs, results):
        own.judge(case["case"], result, case["status"], case.get("within", START),
                  case.get("words", ()), case.get("lines", 1), case.get("np", NP),
                  case.get("may_leave"))
        shutil.rmtree(own.folder)
    return results


def note(case, result, left="nothing", ranks=NP):
    codes, seconds, kept = _rows.setdefault((case, ranks), (collections.Counter(), [], []))
    codes[result.status] += 1
    seconds.append(result.seconds)
    kept.append(left)


def table():
    """Prints a row per case: ranks, runs, codes, seconds, what was left."""
    for (case, ranks), (codes, seconds, kept) in _rows.items():
        codes = ", ".join(f"{code} x{count}" for code, count in sorted(codes.items()))
        left = "nothing" if set(kept) == {"nothing"} else "SOMETHING"
        print(f"{case:44} | {ranks} ranks | {codes:16} | {min(seconds):5.2f} to "
              f"{max(seconds):5.2f} s | {left}", flush=True)


def wait_for(condition, seconds=10):
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


__all__ = ["LIMIT", "LONG", "NETWORK", "OLDER", "REPEATS", "ROWS", "START", "TIMED_OUT", "Run",
           "digest", "note", "side_by_side", "table", "wait_for"]
