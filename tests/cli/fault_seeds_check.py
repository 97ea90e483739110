#!/usr/bin/python3
# ranks: none
"""Runs with seeded faults on random models, rank counts and meshes: an answer is right or an error,
its code is a documented one, it comes in time, and nothing is left. A seed that fails is printed
with its command; the long form has 1,000 seeds (TPINFER_SEEDS=first:count chooses others)."""
import concurrent.futures
import os
import random
import re
import shlex
import shutil

import numpy as np

from answers import graph, node
from fault_runs import *
from harness import *

FIRST, COUNT = (int(part) for part in os.environ.get(
    "TPINFER_SEEDS", "1:1000" if LONG else "1:9").split(":"))
WORKERS = 4
HARMFUL = "throw,error,oom,kill,segv,abort,exit0,exit3,hang,stop,slow(20)"
# Of errors, and what mpirun makes of _exit(0), _exit(3) and signals; once it died of SIGPIPE itself.
CODES = (0, 1, 3, 65, 70, 71, 75, 134, 137, 139, 141)
# Before MPI is up a rank that waits fires 3 to 6 s after the limit, and those seconds grow with the
# processes that want a processor, up to 20 times (comm/mpi/watchdog.hpp).
LONGEST = 20 * (LIMIT + 6) + START
MESHES = {1: ["tp=1"], 2: ["tp=2", "dp=2", "pp=2"], 3: ["tp=3", "dp=3"],
          4: ["tp=4", "dp=2,tp=2", "pp=2,tp=2"], 5: ["tp=5"], 8: ["dp=2,pp=2,tp=2"]}


def random_model(path, choice, noise):
    """Two to four layers of odd widths. Returns the input's width."""
    widths = [choice.choice([3, 7, 16, 24, 33]) for _ in range(choice.randint(3, 5))]
    nodes, weights, value = [], {}, "x"
    for i, (rows, columns) in enumerate(zip(widths, widths[1:])):
        weights[f"w{i}"] = noise.standard_normal((rows, columns), np.float32)
        nodes.append(node("MatMul", f"{value} w{i}", f"m{i}"))
        value = "y" if i + 2 == len(widths) else f"v{i}"
        nodes.append(node(choice.choice(["Relu", "Neg", "Tanh"]), f"m{i}", value))
    write_model(path, graph({"x": ["batch", widths[0]]}, "y", *nodes), weights)
    return widths[0]


class Seeded(Run):
    """A run that a seed determines: model, input, output, ranks, mesh, batch size and faults."""

    def __init__(self, folder, seed):
        folder.mkdir()
        self.folder = folder
        choice, noise = random.Random(seed), np.random.default_rng(seed)
        width = random_model(folder / "m.h5", choice, noise)
        rows = choice.randint(3, 9)
        np.save(folder / "x.npy", noise.standard_normal((rows, width), np.float32))
        self.output = folder / choice.choice(["y.npy", "y.npz", "y.h5", "y.json"])
        self.ranks = choice.choice([1, 2, 2, 3, 3, 4, 4, 5, 8])
        slow = choice.random() < 0.25
        self.case = "seeded, slow only" if slow else "seeded, any fault"
        self.allowed = (0,) if slow else CODES
        # Nobody sees a single process leave with 0 before MPI is up, or stop.
        harmful = HARMFUL.replace("exit0,", "").replace("stop,", "") if self.ranks == 1 else HARMFUL
        self.fault = f"random:{seed}:{'slow(30)' if slow else harmful}"
        self.arguments = ["--model", folder / "m.h5", "--input", folder / "x.npy", "--output",
                          self.output, "--quiet", "--batch-size", choice.randint(3, rows), "--mesh",
                          choice.choice(MESHES[self.ranks])]
        self.model_digest = digest(folder / "m.h5")
        self.checked = seed % 2
        self.log = folder.parent / f"log.{seed}"

    def go(self):
        self.oracle = run([*self.arguments[:-2], "--timeout", 60], np=0)
        self.right = self.values() if self.oracle.status == 0 else None
        self.output.write_bytes(OLDER)
        self.files = sorted(path.name for path in self.folder.iterdir())
        # A disk may be slow too; what is a false alarm is watchdog_alarms_check.py's question.
        self.arguments += ["--timeout", 20 if self.allowed == (0,) else LIMIT]
        self.result = run(self.arguments, np=self.ranks, timeout=LONGEST + 30,
                          env={"TPINFER_FAULT": self.fault, "TPINFER_FAULT_LOG": self.log,
                               "TPINFER_CHECK_CALLS": self.checked})
        return self

    def repeat(self):
        """The command that does it again."""
        line = shlex.join(command(self.arguments, self.ranks))
        return f"TPINFER_FAULT={shlex.quote(self.fault)} {line}"


def sites_of(log):
    return [line.split(":")[0] for line in log.read_text().splitlines()] if log.exists() else []


@check
def right_or_an_error(folder):
    fired = set()
    for first in range(FIRST, FIRST + COUNT, 40):  # so that little is on disk at a time
        seeds = range(first, min(first + 40, FIRST + COUNT))
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            runs = list(pool.map(lambda seed: Seeded(folder / str(seed), seed).go(), seeds))
        for seed, one in zip(seeds, runs):
            failures = failed()
            if not equal((one.oracle.status, one.oracle.stderr), (0, ""), f"seed {seed}: oracle"):
                continue  # with nothing to compare with; it has failed
            if one.result.status == TIMED_OUT and len(set(re.findall(
                    r":(\d+):\d+:stop$", one.log.read_text(), re.M))) == one.ranks:
                continue  # all are stopped, as with a machine that sleeps
            # Those that fail before MPI is up each have a line of their own.
            one.judge(one.case, one.result, one.allowed, LONGEST, ranks=f"{one.ranks}",
                      lines=max(2, one.ranks), right=one.right)
            if failed() != failures:
                print(f"seed {seed}: status {one.result.status}; fired {sites_of(one.log)}; again: "
                      f"{one.repeat()}\n{one.result.stderr}", flush=True)
            fired |= set(sites_of(one.log))
            shutil.rmtree(one.folder)
    print(f"sites that fired: {len(fired)}: {', '.join(sorted(fired))}")
    expect(len(fired) >= min(12, COUNT // 3), f"only {fired}")


main(table)
