#!/usr/bin/python3
# ranks: none
"""Several hosts: the bits of one host, whatever the ranks share and wherever the files come from."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from hosts import Hosts
from network import noise, write_network

from answers import hashes
from harness import *

import numpy as np

# What is run on so many hosts with so many ranks each; the other pairs only in the long form.
MESHES = {(3, 2): ["pp=3,dp=2,tp=1", "dp=3,tp=2", "pp=2,tp=3"]}
if os.environ.get("TPINFER_LONG_TESTS"):
    MESHES |= {(2, 1): ["pp=2", "dp=2"], (2, 2): ["pp=2,dp=2", "dp=2,tp=2", "tp=2x2"],
               (3, 1): ["pp=3", "dp=3"]}


@check
def one_hash_on_any_hosts(folder):
    model = write_network(folder)
    given = ["--model", model, "--input", folder / "x.npy"]
    want = hashes(run(given, np=1))
    with Hosts(3) as hosts:
        for (count, each), meshes in MESHES.items():
            ranks = count * each
            for more in ([], ["--fast"], *(["--mesh", mesh] for mesh in meshes)):
                result = run([*given, *more], np=ranks, **hosts.launch(each, hosts.names[:count]))
                what = f"{count} hosts x {each} ranks {more}"
                contains(result.stderr, f"tpinfer: {ranks} ranks on {count} nodes, ", what)
                got = hashes(result)  # --fast promises equal ranks, not the bits of one rank
                equal(got if more != ["--fast"] else want, want, what)
        no_leftovers(folder)


@check
def shards_and_inputs_of_each_rank(folder):
    model = write_network(folder)
    want = hashes(run(["--model", model, "--input", folder / "x.npy"], np=1))
    result = run(["shard", model, "--ranks", 6, "-o", folder / "s"], np=0, program="tpmodel")
    equal(result.status, 0, f"tpmodel shard; {result.stderr}")
    x = np.load(folder / "x.npy")
    for rank in range(6):
        np.save(folder / f"x{rank}.npy", x)
        np.save(folder / f"part{rank}.npy", x[4 * rank:4 * rank + 4])
    with Hosts(3) as hosts:
        for files, rows, more in (("s", "x", []), ("s/m{rank}.h5", "x{rank}", []),
                                  ("m.h5", "part{rank}", ["--mesh", "dp=6"])):
            result = run(["--model", folder / files, "--input", folder / f"{rows}.npy",
                          "--report", folder / "run.json", "--output", folder / "y.npy", *more],
                         np=6, **hosts.launch(2))
            equal(hashes(result), want, f"{files} {rows}")
            report = json.loads((folder / "run.json").read_text())
            equal((report["ranks"], report["nodes"]), (6, 3), "ranks and nodes of the report")
        no_leftovers(folder)


@check
def files_that_only_some_hosts_have(folder):
    shared, other = folder / "shared", folder / "other"
    shared.mkdir()
    other.mkdir()
    model = write_network(shared)
    given = ["--model", model, "--input", "x=ones", "--output", folder / "y.npy"]
    with Hosts(2) as hosts:
        hosts.change(1, ["mount", "--bind", other, shared])
        result = run(given, np=4, **hosts.launch(2))
        refused(result, 66, f"on {hosts.names[1]}", "m.h5", "No such file")
        expect(result.seconds < 5, f"missing: {result.seconds:.1f} s")
        write_network(other, seed=5)
        result = run(given, np=4, **hosts.launch(2))
        refused(result, 76, f"rank 2 on {hosts.names[1]}", "m.h5", "not the file that was checked")
        expect(result.seconds < 5, f"older: {result.seconds:.1f} s")
        expect(not (folder / "y.npy").exists(), "no output")
        hosts.change(1)
        np.save(shared / "x0.npy", noise((3, 96), 1))
        np.save(shared / "x1.npy", noise((3, 96), 2))
        result = run([*given[:2], "--input", shared / "x{rank}.npy"], np=2, **hosts.launch(1))
        refused(result, 76, "x")
        no_leftovers(folder)


@check
def costs_between_nodes(folder):
    table = folder / "costs.json"
    with Hosts(2) as hosts:
        result = run(["--calibrate", table], np=4, timeout=100, **hosts.launch(2))
        equal(result.status, 0, f"status; {result.stderr}")
        costs = json.loads(table.read_text())
        for kind, rows in costs["collectives"].items():
            across = [row for row in rows if row["nodes"] == 2]
            expect(across, f"{kind} has no rows across nodes: {rows}")
            for row in across:
                expect(1e-6 < row["seconds"] < 0.1, f"{kind}: seconds of a call in {row}")
                expect(1e6 < row["bytes_per_second"] < 1e11, f"{kind}: {row}")
        equal(costs["ranks_per_node"], 2, "ranks per node")
        model = write_network(folder)
        given = ["--model", model, "--input", folder / "x.npy", "--plan", "fastest"]
        want = hashes(run(given, np=1))
        result = run([*given, "--costs", table], np=4, **hosts.launch(2))
        equal(hashes(result), want, "hash with the new table")
        no_leftovers(folder)


main()
