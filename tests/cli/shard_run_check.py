#!/usr/bin/python3
# ranks: 1 2 3 5 8
"""What tpmodel shard wrote gives the one-file model's bits on any number of ranks, and a rank opens
and reads only what it needs, counted from outside."""
import os

import h5py
import numpy as np

from answers import MATMUL_NEG, RAMP, graph, hashes, node, report, sha256
from checkpoints import A_20, A_22, slice_index, write_many, write_shards
from harness import *


def tpmodel(*args):
    result = run(args, np=0, program="tpmodel")
    equal(result.status, 0, f"status of tpmodel {args}; {result.stderr}")
    return result.stdout


def opened(folder, below, arguments):
    """Per rank {file name: bytes read} of the files below a folder, by a preloaded library."""
    out = folder / "opens"
    out.mkdir(exist_ok=True)
    result = run(arguments, env={"TPINFER_OPENS_OUT": out, "TPINFER_OPENS_BELOW": below},
                 launcher=("-x", f"LD_PRELOAD={OPENS_LIBRARY}"))
    equal(result.status, 0, f"status; {result.stderr}")
    ranks = []
    for rank in range(NP):
        lines = (out / f"tpinfer.{rank}").read_text().splitlines()
        ranks.append({os.path.basename(file): int(count)
                      for file, count in (line.rsplit(" ", 1) for line in lines)})
    return ranks, result


@check
def any_number_of_files_on_any_number_of_ranks(folder):
    write_many(folder / "m.h5", write_model)
    tpmodel("verify", folder / "m.h5")
    for name in ("first", "second"):
        wanted = hashes(run(["--model", folder / "m.h5", "--graph", name, "--input", "example"]))
        for count in (1, 3, NP, 13):
            made = folder / f"s{count}"
            if not made.exists():
                tpmodel("shard", folder / "m.h5", "--ranks", count, "-o", made)
            for model in (made, made / "m.h5", made / "m{rank}.h5"):
                more = ["--input", "example"]
                if model.name == "m{rank}.h5":  # known answers are in the master
                    with h5py.File(folder / "m.h5") as file:
                        np.save(folder / "x.npy", file["examples/0/inputs/x"][:])
                    more = ["--input", folder / "x.npy"]
                result = run(["--model", model, "--graph", name, *more])
                equal(hashes(result), wanted, f"hash of {name} from {model}")
        checked = run(["--model", folder / "s3", "--graph", name, "--check"])
        contains(checked.stdout, "PASS 1/1", f"--check of {name}; {checked.stderr}")
    no_leftovers(folder)


@check
def the_same_cut_opens_one_file(folder):
    """A rank of a run that is cut as the files are opens its own file only."""
    rows, columns = 1024, 1040
    weights = {"a": np.ones((rows, columns), np.float32), "b": np.ones((columns, 64), np.float32),
               "bias": np.ones(64, np.float32)}
    network = graph({"x": [1, rows]}, "y", node("MatMul", "x a", "h"), node("MatMul", "h b", "p"),
                    node("Add", "p bias", "y"))
    write_model(folder / "m.h5", network, weights)
    tpmodel("shard", folder / "m.h5", "--ranks", NP, "-o", folder / "set")
    ranks, result = opened(folder, folder / "set", ["--model", folder / "set", "--report",
                                                    folder / "r.json"])
    reported = report(folder / "r.json")["rank"]
    for rank, files in enumerate(ranks):
        equal(list(files), [f"m{rank}.h5"], f"files that rank {rank} opened")
        equal(reported[rank]["files_opened"], 1, "what it reported")
        # Besides the elements the sample at both ends of the file is read: at most 1 MiB.
        read = files[f"m{rank}.h5"] - reported[rank]["weight_bytes_read"]
        expect(0 < read <= 2**20, f"rank {rank} read {read} bytes more than its weights")
    contains(result.stderr, f"from 1 of {NP + 1} files", "the log")


@check
def only_what_a_rank_needs_is_opened(folder):
    own = folder / "set"
    own.mkdir()
    write_shards(own / "m{}.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_20}, 8)
    arguments = ["--model", own / "m{rank}.h5", "--input", "x=ones", "--report", folder / "r.json"]
    if NP == 8:
        ranks, _ = opened(folder, own, [*arguments, "--strategy", "matmul=((1,1),(1,8))"])
        for rank, files in enumerate(ranks):  # columns 2r:2r+2 lie in the slice of columns 4i:4i+4
            expect(list(files) in ([f"m{rank // 2}.h5"], [f"m{rank // 2 + 4}.h5"]),
                   f"rank {rank} opened {files}")
        equal([rank["weight_bytes_read"] for rank in report(folder / "r.json")["rank"]],
              [RAMP.nbytes // 8] * 8, "bytes read")
    ranks, _ = opened(folder, own, arguments)
    for rank in range(NP):
        begin, end = rank * 16 // NP, (rank + 1) * 16 // NP
        equal(len(ranks[rank]), (end + 3) // 4 - begin // 4, f"files of rank {rank}: {ranks[rank]}")
    for rank in range(4, 8):
        (own / f"m{rank}.h5").unlink()
    result = run(arguments)
    equal(hashes(result), {"y": sha256(-(np.ones((128, 96), np.float32) @ RAMP))}, "hash")


@check
def each_byte_of_a_weight_is_read_once(folder):
    write_many(folder / "m.h5", write_model)
    tpmodel("shard", folder / "m.h5", "--ranks", 3, "-o", folder / "set")
    totals = []
    for model in (folder / "m.h5", folder / "set"):
        run(["--model", model, "--input", "example", "--report", folder / "r.json"])
        ranks = report(folder / "r.json")["rank"]
        totals.append([rank["weight_bytes_read"] for rank in ranks])
    equal(totals[1], totals[0], "bytes read per rank from shard files and from one file")


main()
