#!/usr/bin/python3
# ranks: 1 3
"""Where inputs come from: every source and format, the defaults, one file per rank."""
import gzip
import struct

import h5py
import numpy as np

from answers import STREAMED, graph, hashes, node, sha256
from harness import *

RANDOM = np.random.default_rng(8)
W = RANDOM.integers(-3, 4, (96, 16)).astype(np.float32)
X = RANDOM.integers(-3, 4, (5, 96)).astype(np.float32)
EXAMPLE = RANDOM.integers(-3, 4, (3, 96)).astype(np.float32)
Y = sha256(-(X @ W))


def model(folder, examples=()):
    write_model(folder / "m.h5", STREAMED, {"w": W}, examples)
    return folder / "m.h5"


def idx(array):
    code = {"uint8": 8, "int32": 12, "float32": 13, "float64": 14}[str(array.dtype)]
    head = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@check
def values_without_a_file(folder):
    m = model(folder, [{"inputs": {"x": EXAMPLE}, "outputs": {"y": -(EXAMPLE @ W)}}])
    for source, x in (("ones", np.ones((1, 96), np.float32)),
                      ("zeros", np.zeros((1, 96), np.float32)), ("example", EXAMPLE)):
        for name in ("x=", ""):
            result = run(["--model", m, "--input", name + source])
            equal(hashes(result), {"y": sha256(-(x @ W))}, f"{name}{source}")


@check
def defaults(folder):
    m = model(folder, [{"inputs": {"x": EXAMPLE}, "outputs": {"y": -(EXAMPLE @ W)}}])
    equal(hashes(run(["--model", m])), {"y": sha256(-(EXAMPLE @ W))}, "the embedded example")
    ones = np.ones((1, 96), np.float32)
    equal(hashes(run(["--model", model(folder)])), {"y": sha256(-(ones @ W))}, "else ones")
    two = graph({"a": [4], "b": [4]}, "y", node("Add", "a b", "y"))
    write_model(folder / "two.h5", two)
    refused(run(["--model", folder / "two.h5", "--input", "a=ones"]), 65, "b")
    refused(run(["--model", folder / "two.h5", "--input", "ones"]), 65, "NAME=SOURCE", "a", "b")
    refused(run(["--model", folder / "two.h5", "-i", "a=ones", "-i", "a=zeros"]), 65, "a", "twice")
    equal(hashes(run(["--model", folder / "two.h5", "-i", "b=ones", "-i", "a=zeros"])),
          {"y": sha256(np.ones(4, np.float32))}, "both named")


@check
def every_format(folder):
    m = model(folder)
    np.save(folder / "x.npy", X)
    np.save(folder / "double.npy", X.astype(np.float64))
    np.save(folder / "half.npy", X.astype(np.float16))
    np.savez(folder / "x.npz", x=X, other=X + 1)
    np.savez_compressed(folder / "small.npz", only=X)
    with h5py.File(folder / "x.h5", "w") as file:
        file["deep/data"] = X
        file["x"] = X
        file.create_dataset("packed", data=X, chunks=(2, 50), compression="gzip", shuffle=True)
    (folder / "x-idx2-float").write_bytes(idx(X))
    (folder / "x-idx2-float.gz").write_bytes(gzip.compress(idx(X)))
    (folder / "x.npy.gz").write_bytes(gzip.compress((folder / "x.npy").read_bytes()))
    for source in ("x.npy", "double.npy", "half.npy", "x.npz", "x.npz:x", "small.npz", "x.h5",
                   "x.h5:/deep/data", "x.h5:/packed", "x-idx2-float", "x-idx2-float.gz",
                   "x.npy.gz"):
        result = run(["--model", m, "--input", f"x={folder}/{source}"])
        equal(hashes(result), {"y": Y}, source)
        notes = [line for line in tpinfer_lines(result.stderr) if "note: input x" in line]
        equal(len(notes), 1 if source in ("double.npy", "half.npy") else 0, f"notes for {source}")
    equal(hashes(run(["--model", m, "--input", f"{folder}/x.npz:other"])),
          {"y": sha256(-((X + 1) @ W))}, "another array of the archive")
    refused(run(["--model", m, "--input", f"{folder}/x.npz:none"]), 65, "none", "other")
    refused(run(["--model", m, "--input", f"{folder}/x.h5:/none"]), 65, "none")


@check
def integers_only_where_they_are_wanted(folder):
    ints = graph({"i": ("int64", ["batch"])}, "y", node("Identity", "i", "y"))
    write_model(folder / "ints.h5", ints)
    values = np.array([2**40, -7, 0], np.int64)
    np.save(folder / "i.npy", values)
    equal(hashes(run(["--model", folder / "ints.h5", "-i", folder / "i.npy"])),
          {"y": sha256(values)}, "int64")
    np.save(folder / "f.npy", values.astype(np.float32))
    refused(run(["--model", folder / "ints.h5", "-i", folder / "f.npy"]), 65, "float32", "int64")
    m = model(folder)
    np.save(folder / "x.npy", X.astype(np.int32))
    refused(run(["--model", m, "-i", folder / "x.npy"]), 65, "int32", "float32")


@check
def one_file_per_rank(folder):
    m = model(folder)
    for rank in range(NP):
        np.save(folder / f"x{rank}.npy", X)
    arguments = ["--model", m, "--input", f"x={folder}/x{{rank}}.npy"]
    equal(hashes(run(arguments)), {"y": Y}, "equal files")
    if NP == 1:
        return
    np.save(folder / "x1.npy", X + 1)
    refused(run(arguments), 76, "input x", "rank 1")
    np.save(folder / "x1.npy", X[:4])
    refused(run(arguments), 76, "shape", "rank 1")
    (folder / "x1.npy").unlink()
    refused(run(arguments), 66, "rank 1", "x1.npy")


@check
def extents_that_two_inputs_share(folder):
    two = graph({"a": ["batch", 4], "b": ["batch", 4]}, "y", node("Add", "a b", "y"))
    write_model(folder / "m.h5", two)
    np.save(folder / "a.npy", np.ones((3, 4), np.float32))
    np.save(folder / "b.npy", np.ones((2, 4), np.float32))
    result = run(["--model", folder / "m.h5", "-i", f"a={folder}/a.npy", "-i", "b=ones"])
    equal(hashes(result), {"y": sha256(np.full((3, 4), 2, np.float32))}, "ones follow the file")
    refused(run(["--model", folder / "m.h5", "-i", f"a={folder}/a.npy", "-i", f"b={folder}/b.npy"]),
            65, "batch", "3", "2", "a", "b")
    np.save(folder / "none.npy", np.ones((0, 4), np.float32))
    result = run(["--model", folder / "m.h5", "-i", f"a={folder}/none.npy", "-i", "b=ones"])
    equal(hashes(result), {"y": sha256(np.ones((0, 4), np.float32))}, "no rows at all")


main()
