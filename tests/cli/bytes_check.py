#!/usr/bin/python3
# ranks: 1 2 3 8
"""Each rank reads its own part of the weights and nothing else: by what the program counts, by what
the plan says beforehand, and by what the operating system saw."""
import json
import time

import h5py
import numpy as np

from answers import filled, graph, hashes, node, report, sha256
from harness import *

MLP = graph({"x": ["batch", 64]}, "y", node("MatMul", "x up", "h"), node("Add", "h b", "hb"),
            node("Relu", "hb", "r"), node("MatMul", "r down", "y"))


def mlp_weights():
    random = np.random.default_rng(5)
    return {name: random.standard_normal(shape).astype(np.float32)
            for name, shape in (("up", (64, 128)), ("b", (128,)), ("down", (128, 48)))}


def store(path, weights, **options):
    """Writes the model with the weights stored as h5py's create_dataset is asked to."""
    write_model(path, MLP)
    with h5py.File(path, "r+") as file:
        for name, array in weights.items():
            file.create_dataset(f"weights/{name}", data=array, **options)


def ranks_of(folder, model, *more):
    """What each rank reported, and the outputs' hashes."""
    np.save(folder / "x.npy", np.random.default_rng(6).standard_normal((5, 64)).astype(np.float32))
    result = run(["--model", model, "--input", folder / "x.npy", "--report", folder / "r.json",
                  *more])
    return report(folder / "r.json")["rank"], hashes(result)


@check
def the_plan_said_so_before(folder):
    store(folder / "m.h5", mlp_weights())
    for more in ([], ["--plan", "fastest"], ["--uneven", "--strategy", f"h=((1,{NP}),({NP},1))"]):
        planned = run(["plan", folder / "m.h5", "-n", NP, "--set", "batch=5", "--json", *more],
                      np=0, program="tpmodel")
        planned = [rank["weight_bytes"] for rank in json.loads(planned.stdout)["rank"]]
        ranks, _ = ranks_of(folder, folder / "m.h5", *more)
        equal([rank["weight_bytes_read"] for rank in ranks], planned, f"bytes read with {more}")
    ranks, _ = ranks_of(folder, folder / "m.h5")
    whole = sum(array.nbytes for array in mlp_weights().values())
    equal(sum(rank["weight_bytes_read"] for rank in ranks), whole, "every weight read once in all")
    most = max(rank["weight_bytes_read"] for rank in ranks)
    expect(most <= 1.15 * whole / NP, f"{most} of {whole} bytes is about 1/{NP}")


@check
def every_way_to_store_a_weight(folder):
    weights = mlp_weights()
    store(folder / "m.h5", weights)
    ranks, plain = ranks_of(folder, folder / "m.h5")
    for name, options in {
            "chunks": {"chunks": True},
            "deflate": {"chunks": True, "compression": "gzip"},
            "filters": {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True},
            "float64": {"dtype": "f8"}}.items():
        store(folder / "other.h5", weights, **options)
        others, other = ranks_of(folder, folder / "other.h5")
        equal(other, plain, f"hash of {name}")
        scale = 2 if name == "float64" else 1
        equal([rank["weight_bytes_read"] for rank in others],
              [scale * rank["weight_bytes_read"] for rank in ranks], f"bytes read of {name}")
    half = {name: array.astype(np.float16) for name, array in weights.items()}
    store(folder / "half.h5", half)
    store(folder / "m.h5", {name: array.astype(np.float32) for name, array in half.items()})
    brain = {name: (array.view(np.uint32) >> 16).astype(np.uint16)
             for name, array in weights.items()}
    store(folder / "brain.h5", brain)
    with h5py.File(folder / "brain.h5", "r+") as file:
        for name in brain:
            file[f"weights/{name}"].attrs["dtype"] = "bf16"
    cut = {name: (array.astype(np.uint32) << 16).view(np.float32) for name, array in brain.items()}
    store(folder / "cut.h5", cut)
    for stored, same in (("half", "m"), ("brain", "cut")):
        others, other = ranks_of(folder, folder / f"{stored}.h5")
        equal(other, ranks_of(folder, folder / f"{same}.h5")[1], f"hash of {stored}")
        equal([2 * rank["weight_bytes_read"] for rank in others],
              [rank["weight_bytes_read"] for rank in ranks], f"bytes read of {stored}")


def bytes_the_system_read(arguments, site):
    """rchar of each rank's /proc/PID/io once all of them hang at this fault site."""
    process = start([*arguments, "--timeout", "0"], env={"TPINFER_FAULT": f"{site}:*:1:hang"})
    seen, since = None, time.monotonic()
    while time.monotonic() - since < 1 and process.poll() is None:
        now = {rank: int(read_proc(f"/proc/{pid}/io").split()[1])
               for rank, pid in rank_pids().items()}
        if now != seen or len(now) < NP:
            seen, since = now, time.monotonic() if len(now) == NP else since
        time.sleep(0.1)
    kill_our_processes()
    finish(process)
    return [seen[rank] for rank in range(NP)]


@check
def the_system_saw_no_more(folder):
    rows, columns = 2048, 4096  # 32 MiB, so that what else a process reads does not matter
    write_model(folder / "m.h5", graph({"x": [1, rows]}, "y", node("MatMul", "x w", "y")),
                {"w": np.zeros((rows, columns), np.float32)})
    arguments = ["--model", folder / "m.h5"]
    before = bytes_the_system_read(arguments, "load weights")
    after = bytes_the_system_read(arguments, "step")
    share = 4 * rows * columns // NP
    for rank in range(NP):
        read = after[rank] - before[rank]
        expect(abs(read - share) < 0.01 * share + 65536,
               f"rank {rank} read {read} bytes, its share is {share}")


@check
def weights_read_by_several_operators_are_read_once(folder):
    tied = graph({"x": [2, 96]}, "y", node("MatMul", "x w", "a"), node("MatMul", "x w", "b"),
                 node("Add", "a b", "y"))
    write_model(folder / "m.h5", tied, {"w": filled(0.5)})
    result = run(["--model", folder / "m.h5", "--report", folder / "r.json"])
    equal(hashes(result), {"y": sha256(filled(96, 2, 16))}, "hash")
    equal(sum(rank["weight_bytes_read"] for rank in report(folder / "r.json")["rank"]), 96 * 16 * 4,
          "bytes read")


main()
