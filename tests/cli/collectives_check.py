#!/usr/bin/python3
# ranks: 2 3 8
"""The collectives that really run, seen by a profiling library between the program and MPI: those
that the plan names, once each per run, and none besides."""
import collections
import json

import numpy as np

from answers import MATMUL_NEG, filled, graph, hashes, node, report, sha256
from harness import *

NOTHING = graph({"x": [8, 64]}, "y", node("Relu", "x", "y"))
# A Megatron pair: a column cut, an operator between, a row cut, one sum.
PAIR = graph({"x": [8, 64]}, "y", node("MatMul", "x up", "h"), node("Relu", "h", "r"),
             node("MatMul", "r down", "y"))
FAMILIES = {"MPI_Allgather": "gather", "MPI_Allgatherv": "gather", "MPI_Alltoall": "all-to-all",
            "MPI_Alltoallv": "all-to-all", "MPI_Allreduce": "MPI reduction",
            "MPI_Reduce": "MPI reduction", "MPI_Reduce_scatter": "MPI reduction",
            "MPI_Reduce_scatter_block": "MPI reduction"}


def write_pair(path):
    random = np.random.default_rng(7)
    write_model(path, PAIR, {"up": random.standard_normal((64, 128)).astype(np.float32),
                             "down": random.standard_normal((128, 48)).astype(np.float32)})


def counted(folder, arguments, repeat):
    """(counts of rank 0's calls, hashes, the plan's collectives) of a run."""
    calls = folder / "calls.json"
    calls.unlink(missing_ok=True)
    result = run([*arguments, "--repeat", repeat, "--report", folder / "r.json"],
                 env={"TPINFER_PMPI_OUT": calls}, launcher=("-x", f"LD_PRELOAD={PMPI_LIBRARY}"))
    counts = collections.Counter()
    bytes_of = collections.Counter()
    for name, count in json.loads(calls.read_text()).items():
        counts[FAMILIES.get(name, name)] += count["calls"]
        bytes_of[FAMILIES.get(name, name)] += count["bytes"]
    return counts, bytes_of, hashes(result), report(folder / "r.json")["collectives"]


def per_run(folder, model, *more):
    """Calls and bytes of one run beyond those of a run without collectives: start, agreement and
    the sharing of the input are the same for both and go out."""
    difference = []
    for arguments in (["--model", model, *more], ["--model", folder / "nothing.h5"]):
        once, thrice = (counted(folder, arguments, n) for n in (1, 3))
        equal(once[2], thrice[2], "hash of one run and of three")
        one = []
        for a, b in zip(once[:2], thrice[:2]):
            expect(all((b[name] - a[name]) % 2 == 0 for name in b), f"two runs differ: {a} {b}")
            one.append({name: (b[name] - a[name]) // 2 for name in b})
        difference.append((one, once[2], once[3]))
    (model_one, model_hash, plan), (base, _, none) = difference
    equal(none, [], "the plan without collectives")
    calls, sent = ({name: m[name] - b.get(name, 0) for name in m if m[name] != b.get(name, 0)}
                   for m, b in zip(model_one, base))
    kinds = collections.Counter(collective["kind"] for collective in plan)
    return calls, sent, model_hash, kinds


@check
def a_gather(folder):
    write_model(folder / "nothing.h5", NOTHING)
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    calls, sent, found, kinds = per_run(folder, folder / "m.h5")
    equal(kinds, {"all-gather": 1}, "the plan's collectives")
    equal(calls["gather"], 1, f"gathers per run in {calls}")
    equal(set(calls) - {"gather"}, set(), "other calls")
    bytes_of_x = 128 * 96 * 4 - 8 * 64 * 4
    own_columns = {2: 8, 3: 5, 8: 2}[NP]
    equal(sent["gather"], 128 * own_columns * 4, "bytes that rank 0 gives to the gather")
    equal(sent.get("MPI_Bcast"), bytes_of_x, "bytes of the input beyond the other model's")
    equal(found, {"y": sha256(filled(-48, 128, 16))}, "hash")


@check
def one_reduction_for_a_pair(folder):
    write_model(folder / "nothing.h5", NOTHING)
    write_pair(folder / "m.h5")
    calls, sent, found, kinds = per_run(folder, folder / "m.h5")
    equal(kinds, {"all-reduce": 1}, "the plan's collectives")
    # The roots of the sum travel and are added in the one order that every rank count has: by a
    # gather when they are few, by an all-to-all and a gather when they are many.
    expect(calls in ({"gather": 1}, {"gather": 1, "all-to-all": 1}), f"calls per run: {calls}")
    expect(sent["gather"] >= 8 * 48 * 4 // NP, f"bytes: {sent}")
    fast_calls, fast_sent, fast, kinds = per_run(folder, folder / "m.h5", "--fast")
    equal(kinds, {"all-reduce": 1}, "the plan's collectives with --fast")
    equal(fast_calls, {"MPI reduction": 1}, "calls per run with --fast")
    equal(fast_sent, {"MPI reduction": 8 * 48 * 4}, "bytes per run with --fast")
    equal(set(fast), set(found), "outputs")


@check
def parts_of_the_batch_only_gather(folder):
    write_model(folder / "nothing.h5", NOTHING)
    write_pair(folder / "m.h5")
    calls, sent, found, kinds = per_run(folder, folder / "m.h5", "--mesh", f"dp={NP}")
    equal(kinds, {"all-gather": 1}, "the plan's collectives")
    equal(calls, {"gather": 1}, "calls per run")
    rows = 8 // NP  # of rank 0
    equal(sent, {"gather": rows * 48 * 4}, "bytes that rank 0 gives")
    equal(found, hashes(run(["--model", folder / "m.h5"], np=1)), "hash of one rank")


@check
def a_stage_sends_and_the_last_one_delivers(folder):
    write_model(folder / "nothing.h5", NOTHING)
    write_pair(folder / "m.h5")
    if NP % 2:
        return equal(NP, 3, "ranks that two stages cannot share")
    calls, sent, found, kinds = per_run(folder, folder / "m.h5", "--mesh", "pp=2")
    equal(kinds["send"], 1, "sends of the plan")
    # Rank 0 sends its part to its like in the other stage, and gets the output at the end.
    equal(calls["all-to-all"], 1, f"calls per run: {calls}")
    equal(sent["all-to-all"], 8 * 128 * 4 * 2 // NP, f"bytes: {sent}")
    equal(calls["MPI_Bcast"], 1, f"calls per run: {calls}")
    equal(sent["MPI_Bcast"], 8 * 48 * 4, f"bytes: {sent}")
    equal(set(calls), {"all-to-all", "MPI_Bcast"}, "no sums on rank 0: they are of stage 1")
    equal(found, hashes(run(["--model", folder / "m.h5"], np=1)), "hash of one rank")


@check
def the_network_of_the_demo(folder):
    write_model(folder / "nothing.h5", NOTHING)
    model = SOURCE / "examples/fashion_mnist.h5"
    np.save(folder / "x.npy", np.zeros((2000, 28, 28), np.uint8))
    images = ["--input", folder / "x.npy"]
    calls, _, found, kinds = per_run(folder, model, *images)
    expect(kinds["all-gather"] >= 1, f"at least one gather: {kinds}")
    expect(kinds["all-reduce"] + kinds["reduce-scatter"] >= 1, f"at least one reduction: {kinds}")
    expect(calls["gather"] >= kinds["all-gather"] + kinds["all-reduce"], f"gathers in {calls}")
    fast_calls, _, fast, kinds = per_run(folder, model, *images, "--fast")
    equal(fast_calls.get("MPI reduction"), kinds["all-reduce"] + kinds["reduce-scatter"],
          "MPI_Allreduce and MPI_Reduce_scatter with --fast")
    equal(fast_calls.get("gather", 0), kinds["all-gather"], "gathers with --fast")
    equal(hashes(run(["--model", model, *images], np=1)), found, "hash of one rank")
    equal(fast.keys(), found.keys(), "outputs")


@check
def a_dry_run_moves_nothing(folder):
    write_pair(folder / "m.h5")
    calls = folder / "calls.json"
    result = run(["--model", folder / "m.h5", "--dry-run"], env={"TPINFER_PMPI_OUT": calls},
                 launcher=("-x", f"LD_PRELOAD={PMPI_LIBRARY}"))
    equal((result.status, result.stdout), (0, ""), "status and stdout")
    counts = json.loads(calls.read_text())
    expect(all(count["bytes"] < 4096 for count in counts.values()), f"bytes: {counts}")


main()
