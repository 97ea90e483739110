#!/usr/bin/python3
# ranks: 1 2 3 8
"""Sharded checkpoints that somebody else's h5py wrote: every form of --model, every layout, the
same output as the one-file model's; and files that are missing are named."""
import json

import h5py
import numpy as np

from answers import MATMUL_NEG, RAMP, graph, hashes, node, report
from checkpoints import (A_20, A_21, A_22, A_23, A_24, A_25, A_25B, A_28, write_master, write_shard,
                         write_shards)
from harness import *

WANTED = {}


def inputs(folder):
    np.save(folder / "x.npy", np.random.default_rng(3).integers(-3, 4, (128, 96)).astype("f4"))
    return ["--input", folder / "x.npy"]


def one_file_hash(folder):
    """The output of the model in one file."""
    if not WANTED:
        write_model(folder / "one.h5", MATMUL_NEG, {"w": RAMP})
        WANTED.update(hashes(run(["--model", folder / "one.h5", *inputs(folder)])))
    return WANTED


def same(folder, model, what):
    result = run(["--model", model, *inputs(folder), "--report", folder / "r.json"])
    equal(hashes(result), one_file_hash(folder), f"hash of {what}")
    return report(folder / "r.json")["rank"]


def shards(folder, layout=A_20, name="m{}.h5", **options):
    write_shards(folder / name, MATMUL_NEG, {"w": RAMP}, {"w": layout}, 8, **options)


@check
def every_layout(folder):
    for name, layout in {"A-20": A_20, "A-21": A_21, "A-22": A_22, "A-23": A_23, "A-24": A_24,
                         "A-25": A_25, "A-25b": A_25B, "A-28": A_28}.items():
        for offsets in (False, True):
            own = folder / f"{name}{offsets}"
            own.mkdir()
            shards(own, layout, offsets=offsets)
            ranks = same(folder, own, f"{name}, offsets {offsets}")
            equal(sum(rank["weight_bytes_read"] for rank in ranks), RAMP.nbytes, f"{name}: bytes")


@check
def every_form_of_model(folder):
    shards(folder)
    same(folder, folder / "m{rank}.h5", "a pattern")
    same(folder, folder / "m.h5", "the last-dot rule")
    same(folder, folder, "a folder")
    write_master(folder / "all.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_20},
                 {f"m{rank}.h5": rank for rank in range(4)})
    same(folder, folder / "all.h5", "a master")
    same(folder, folder, "a folder with a master")
    tree = folder / "tree"
    for rank in range(8):
        (tree / f"rank_{rank}").mkdir(parents=True)
        (folder / f"m{rank}.h5").rename(tree / f"rank_{rank}/part{rank}.h5")
    same(folder, tree / "rank_{rank}/part{rank}.h5", "a folder per rank")


@check
def shuffled_and_renamed_files(folder):
    own = folder / "set"
    own.mkdir()
    shards(own)
    write_master(own / "all.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_20},
                 {f"m{rank}.h5": rank for rank in range(8)}, ranks=8, checkpoint="run 1")
    (own / "m3.h5").rename(own / "keep")
    (own / "m0.h5").rename(own / "m3.h5")
    (own / "keep").rename(own / "m0.h5")
    for model in (own, own / "all.h5", own / "m.h5"):
        same(folder, model, f"shuffled files, {model.name}")
    verified = run(["verify", own / "all.h5"], np=0, program="tpmodel")
    contains(verified.stdout, "the file counts", "what verify says of the master's view")
    (own / "m1.h5").rename(own / "another name.h5")
    for model in (own, own / "all.h5"):
        same(folder, model, f"renamed files, {model.name}")


@check
def copies_are_enough(folder):
    own = folder / "set"
    own.mkdir()
    shards(own, ranks_there=range(4))
    same(folder, own, "files 0 to 3 of 8")
    write_master(own / "all.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_20},
                 {f"m{rank}.h5": rank for rank in range(8)})
    same(folder, own / "all.h5", "a master over files 0 to 3 of 8")
    verified = run(["verify", own], np=0, program="tpmodel")
    equal(verified.status, 0, f"status of verify; {verified.stderr}")
    contains(verified.stdout, "m7.h5 (rank 7)", "what verify says of missing copies")


@check
def missing_files_are_named(folder):
    own = folder / "set"
    own.mkdir()
    shards(own, A_21)
    (own / "m5.h5").unlink()
    for model in (own, own / "m.h5", own / "m{rank}.h5", own / "m0.h5"):
        more = [] if model == own / "m0.h5" else ["7 of 8 files", "m5.h5 (rank 5)"]
        refused(run(["--model", model]), 65, "/weights/w", "rank 5", *more)
    write_master(own / "all.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_21},
                 {f"m{rank}.h5": rank for rank in range(8)})
    refused(run(["--model", own / "all.h5"]), 65, "[60:72,0:", "7 of 8 files", "m5.h5 (rank 5)")
    refused(run(["--model", own / "none.h5"]), 66, "none.h5")
    refused(run(["--model", own / "none{rank}.h5"]), 66, "none{rank}.h5")
    no_leftovers(folder)


@check
def a_pair_of_files(folder):
    write_shards(folder / "Matmul{}.h5", MATMUL_NEG, {"w": RAMP}, {"w": ([1, 2, 1], [1, 0])}, 2)
    same(folder, folder / "Matmul.h5", "Matmul.h5")
    (folder / "Matmul1.h5").unlink()
    refused(run(["--model", folder / "Matmul.h5"]), 65, "Matmul1.h5 (rank 1)", "1 of 2 files")


@check
def several_slices_of_a_weight_in_one_file(folder):
    full = {"full_shape": [96, 16], "weight": "w"}
    for rank in range(2):
        parts = [(f"w part {i}", RAMP[i * 10:i * 10 + 10], {**full, "offset": [i * 10, 0]})
                 for i in range(rank, 9, 2)]
        parts.append((f"rest/of {rank}", RAMP[80:], {**full, "offset": [80, 0]}))  # overlaps
        write_shard(folder / f"m{rank}.h5", MATMUL_NEG, rank, 2, parts)
    same(folder, folder / "m.h5", "interleaved slices")
    stacked = {**full, "dev_matrix": [2, 2], "tensor_map": "[[1, 0], -1]"}
    for rank in range(4):
        write_shard(folder / f"s{rank}.h5", MATMUL_NEG, rank, 4,
                    [("any", RAMP[rank * 24:rank * 24 + 24], stacked)])
    same(folder, folder / "s.h5", "a dimension cut by two device dimensions")


@check
def pipeline_stages(folder):
    """Two stages of two ranks: a device matrix counts ranks inside a stage."""
    network = graph({"x": [128, 96]}, "y", node("MatMul", "x w", "h"), node("MatMul", "h v", "y"))
    v = np.arange(16 * 6, dtype=np.float32).reshape(16, 6)
    write_model(folder / "whole.model", network, {"w": RAMP, "v": v})
    halves = {"dev_matrix": [2], "tensor_map": [0, -1]}
    for rank in range(4):
        name, array = (("w", RAMP), ("v", v))[rank // 2]
        rows = array.shape[0] // 2
        write_shard(folder / f"m{rank}.h5", network, rank, 4,
                    [(name, array[rank % 2 * rows:][:rows], {**halves, "full_shape": array.shape})])
    wanted = hashes(run(["--model", folder / "whole.model", *inputs(folder)]))
    equal(hashes(run(["--model", folder / "m.h5", *inputs(folder)])), wanted, "hash")
    (folder / "m2.h5").unlink()
    refused(run(["--model", folder / "m.h5"]), 65, "/weights/v", "[0:", "m2.h5 (rank 2)")
    (folder / "m3.h5").unlink()
    refused(run(["--model", folder / "m.h5"]), 65, "v", "2 of 4 files", "m2.h5 (rank 2)",
            "m3.h5 (rank 3)")


@check
def a_master_over_plain_files(folder):
    for i in range(4):  # files that say nothing of themselves: the master's word counts
        write_model(folder / f"part{i}.h5", MATMUL_NEG, {"stored": RAMP[:, 4 * i:4 * i + 4]})
    write_model(folder / "part3.h5", MATMUL_NEG, {"stored": RAMP[:, 6:]})  # more than is mapped
    layout = h5py.VirtualLayout((96, 16), "f4")
    for i in range(3):
        layout[:, 4 * i:4 * i + 4] = h5py.VirtualSource(f"part{i}.h5", "weights/stored", (96, 4))
    layout[:, 12:] = h5py.VirtualSource("part3.h5", "weights/stored", (96, 10))[:, 6:]
    with h5py.File(folder / "all.h5", "w", libver="latest") as master:
        master.attrs.update({"format": "tpinfer", "format_version": 1})
        master["graphs/main"] = json.dumps(MATMUL_NEG)
        master.create_virtual_dataset("weights/w", layout)
    same(folder, folder / "all.h5", "a master over plain files")
    (folder / "part2.h5").unlink()
    refused(run(["--model", folder / "all.h5"]), 65, "part2.h5", "3 of 4 files")


main()
