#!/usr/bin/python3
# ranks: 2 3 4 6 8
"""Meshes: parts of the batch, pipeline stages, several tensor axes, unequal ranks: one hash."""
import gzip
import json

import h5py
import numpy as np

from answers import *
from harness import *

MODEL = SOURCE / "examples/fashion_mnist.h5"


def meshes():
    """Every way to write NP as pp * dp * tp, with the tensor axes in one and in two."""
    for pp in range(1, NP + 1):
        for dp in range(1, NP + 1):
            if NP % (pp * dp):
                continue
            tp = NP // (pp * dp)
            yield f"pp={pp},dp={dp},tp={tp}", pp, dp, tp
            if tp % 2 == 0 and tp > 2:
                yield f"dp={dp},pp={pp},tp=2x{tp // 2}", pp, dp, tp


def few_images(folder, rows=37):
    with gzip.open(fashion_mnist("t10k-images-idx3-ubyte.gz")) as file:
        pixels = np.frombuffer(file.read()[16:], np.uint8).reshape(10000, 28, 28)
    np.save(folder / "x.npy", pixels[:rows])
    return pixels[:rows]


def one_rank(folder):
    """What the file of images gives on one rank, by NumPy's hash of the written output."""
    result = run(["--model", MODEL, "-i", folder / "x.npy", "-o", folder / "y.npy"], np=1)
    return hashes(result)


@check
def one_hash_on_every_mesh(folder):
    few_images(folder)
    want = one_rank(folder)
    for mesh, pp, dp, tp in meshes():
        for more in ([], ["--batch-size", "10"], ["--micro-batches", "5"]):
            if pp > 3:  # the network has few operators
                continue
            result = run(["--model", MODEL, "-i", folder / "x.npy", "--mesh", mesh, *more])
            equal(hashes(result), want, f"--mesh {mesh} {more}")
            axes = [f"{name} {size}" for name, size in (("pp", pp), ("dp", dp)) if size > 1]
            contains(result.stderr, f"mesh {' x '.join(axes)}", "the mesh in the story")


@check
def unequal_ranks(folder):
    few_images(folder)
    want = one_rank(folder)
    for weights in ([3] + [1] * (NP - 1), list(range(NP)) if NP > 1 else [5], [7] + [0] * (NP - 1)):
        text = ",".join(map(str, weights))
        result = run(["--model", MODEL, "-i", folder / "x.npy", "--rank-weights", text,
                      "--report", folder / "r.json"])
        equal(hashes(result), want, f"--rank-weights {text}")
        ranks = report(folder / "r.json")["ranks"]
        for rank, weight in enumerate(weights):
            read = report(folder / "r.json")["rank"][rank]["weight_bytes_read"]
            if weight == 0:  # vectors that are added where a tensor is whole, no part of a matrix
                expect(read <= 4 * (256 + 11), f"rank {rank} without weight reads {read} bytes")
        equal(ranks, NP, "ranks")


@check
def each_part_of_the_ranks_reads_and_writes_its_own_rows(folder):
    pixels = few_images(folder)
    want = one_rank(folder)
    whole = np.load(folder / "y.npy")
    for mesh, pp, dp, tp in meshes():
        if pp > 3 or dp == 1:
            continue
        borders = [37 * (part * part) // (dp * dp) for part in range(dp + 1)]  # ragged, some empty
        for part in range(dp):
            np.save(folder / f"p{part}.npy", pixels[borders[part]:borders[part + 1]])
        for rank in range(NP):
            part = rank // tp % dp
            np.save(folder / f"r{rank}.npy", pixels[borders[part]:borders[part + 1]])
        for more in ([], ["--batch-size", "9"]):
            result = run(["--model", MODEL, "-i", f"{folder}/p{{dp}}.npy", "--mesh", mesh,
                          "-o", f"{folder}/out{{dp}}.npy", *more])
            equal(hashes(result), want, f"{{dp}} on {mesh} {more}")
            result = run(["--model", MODEL, "-i", f"{folder}/r{{rank}}.npy", "--mesh", mesh,
                          "-o", f"{folder}/rank{{rank}}.npy", *more])
            equal(hashes(result), want, f"{{rank}} on {mesh} {more}")
            for part in range(dp):
                rows = whole[borders[part]:borders[part + 1]]
                equal(np.load(folder / f"out{part}.npy").tobytes(), rows.tobytes(), "its rows")
            for rank in range(NP):
                part = rank // tp % dp
                rows = whole[borders[part]:borders[part + 1]]
                equal(np.load(folder / f"rank{rank}.npy").tobytes(), rows.tobytes(), "its rows")


@check
def parts_that_disagree(folder):
    ranks = NP if NP % 2 == 0 and NP >= 4 else 4
    few_images(folder, 4)
    x = np.load(folder / "x.npy")
    for rank in range(ranks):
        np.save(folder / f"r{rank}.npy", x)
    arguments = ["--model", MODEL, "-i", f"{folder}/r{{rank}}.npy", "--mesh", "dp=2"]
    np.save(folder / "r1.npy", x + 1)
    refused(run(arguments, np=ranks), 76, "input", "part 0", "rank 0", "rank 1")
    np.save(folder / "r1.npy", x[:3])
    refused(run(arguments, np=ranks), 76, "rows", "part 0", "rank 1")
    (folder / "r1.npy").unlink()
    refused(run(arguments, np=ranks), 66, "rank 1", "r1.npy")
    no_leftovers(folder)


def three_inputs():
    """A matmul network on the three inputs of a diffusion model: latent (batch,4,64,64), a scalar
    time step, and the prompt's (batch,77,1024)."""
    return graph({"sample": ["batch", 4, 64, 64], "timestep": [],
                  "encoder_hidden_states": ["batch", 77, 1024]}, "out",
                 node("Flatten", "sample", "flat"),
                 node("MatMul", "flat latent", "a"),
                 node("MatMul", "encoder_hidden_states prompt", "tokens"),
                 node("ReduceMean", "tokens", "b", axes=[1], keepdims=0),
                 node("Mul", "b timestep", "c"),
                 node("Add", "a c", "out"))


@check
def a_batch_of_two_on_two_parts_is_two_workers(folder):
    ranks = NP if NP % 2 == 0 else 2
    rng = np.random.default_rng(3)
    write_model(folder / "m.h5", three_inputs(),
                {"latent": rng.standard_normal((16384, 24), np.float32),
                 "prompt": rng.standard_normal((1024, 24), np.float32)})
    inputs = {"sample": rng.standard_normal((3, 4, 64, 64), np.float32),
              "timestep": np.float32(50.0),
              "encoder_hidden_states": rng.standard_normal((3, 77, 1024), np.float32)}

    def arguments(rows, name="{}.npy"):
        for key, array in inputs.items():
            np.save(folder / f"{key}.npy", array[:rows] if array.shape else array)
        return ["--model", folder / "m.h5",
                *[part for key in inputs for part in ("-i", f"{key}={folder}/{name.format(key)}")]]

    whole = {rows: hashes(run([*arguments(rows)], np=1)) for rows in (2, 3)}
    plan = run(["plan", folder / "m.h5", "--ranks", "2", "--mesh", "dp=2", "--set", "batch=2",
                "--json"], np=0, program="tpmodel")
    tensors = {(t["name"], t["layout"]): t["shape"] for t in json.loads(plan.stdout)["tensors"]}
    # Each worker gets one row of the batch: 16384 and 78848 elements, 65536 and 315392 bytes.
    equal(tensors["sample", "[S0 R]"], [2, 4, 64, 64], "sample is cut in rows")
    equal(tensors["encoder_hidden_states", "[S0 R]"], [2, 77, 1024], "the prompt too")
    equal([key for key in tensors if key[0] == "timestep"], [("timestep", "[R R]")],
          "the time step is shared")
    for rows in (2, 3):  # three rows on two parts are no multiple, and no trouble
        result = run([*arguments(rows), "--mesh", "dp=2", "--output", folder / "y.npy"], np=ranks)
        equal(hashes(result), whole[rows], f"{rows} rows on two parts")
    y = np.load(folder / "y.npy")
    for part, rows in enumerate((slice(0, 1), slice(1, 3))):
        for key in ("sample", "encoder_hidden_states"):
            np.save(folder / f"{key}{part}.npy", inputs[key][rows])
        np.save(folder / f"timestep{part}.npy", inputs["timestep"])
    result = run([*arguments(3, "{}{{dp}}.npy"), "--mesh", "dp=2",
                  "--output", f"{folder}/y{{dp}}.npy"], np=ranks)
    equal(hashes(result), whole[3], "each part with its own file")
    for part, rows in enumerate((slice(0, 1), slice(1, 3))):
        equal(np.load(folder / f"y{part}.npy").tobytes(), y[rows].tobytes(), f"part {part}")


@check
def stages_read_their_own_weights_only(folder):
    few_images(folder, 8)
    stages = min(NP, 3)
    result = run(["--model", MODEL, "-i", folder / "x.npy", "--mesh", f"pp={stages}", "--report",
                  folder / "r.json"], np=stages)
    expect(result.status == 0, result.stderr)
    read = [rank["weight_bytes_read"] for rank in report(folder / "r.json")["rank"]]
    with h5py.File(MODEL) as file:
        sizes = []
        file["weights"].visititems(lambda _, o: sizes.append(o.size * o.dtype.itemsize)
                                   if isinstance(o, h5py.Dataset) else None)
    equal(sum(read), sum(sizes), "every weight is read by one stage")
    expect(all(read), f"every stage has weights: {read}")


@check
def stages_of_a_graph_that_mixes_rows(folder):
    """It cannot be cut into micro-batches, and runs all the same."""
    summed = graph({"x": ["batch", 6]}, "z", node("Neg", "x", "y"),
                   node("ReduceSum", "y", "z", axes=[0]))
    write_model(folder / "s.h5", summed)
    np.save(folder / "x.npy", np.arange(24, dtype=np.float32).reshape(4, 6))
    result = run(["--model", folder / "s.h5", "-i", folder / "x.npy", "--mesh", "pp=2"], np=2)
    equal(hashes(result), {"z": sha256(-np.arange(24, dtype=np.float32).reshape(4, 6)
                                       .sum(axis=0, keepdims=True))}, "sums")


@check
def nothing_that_is_read_is_written_over(folder):
    ranks = NP if NP % 2 == 0 else 2
    few_images(folder, 4)
    for part in range(ranks):
        np.save(folder / f"p{part}.npy", np.load(folder / "x.npy"))
    made = run(["shard", MODEL, "--ranks", "3", "-o", folder / "set"], np=0, program="tpmodel")
    equal(made.status, 0, made.stderr)
    before = {path: path.read_bytes() for path in [*folder.glob("*.npy"), *folder.glob("set/*")]}
    parts = ["--model", MODEL, "--mesh", "dp=2", "-i", f"{folder}/p{{dp}}.npy", "-o"]
    (folder / "link.npy").symlink_to(folder / "p1.npy")
    for target in (folder / "p1.npy", f"{folder}/./p{{dp}}.npy", f"{folder}/p{{rank}}.npy",
                   folder / "link.npy"):
        refused(run([*parts, target], np=ranks), 64, "--output", "also an input")
    whole = ["--model", folder / "set", "-i", folder / "x.npy"]
    for target in ("fashion_mnist0.h5", "fashion_mnist.h5", "../set/fashion_mnist2.h5"):
        refused(run([*whole, "-o", folder / "set" / target], np=ranks), 64, "--output",
                "a file of the model")
        refused(run([*whole, "--report", folder / "set" / target], np=ranks), 64, "--report",
                "a file of the model")
    refused(run([*whole, "-o", folder / "r.json", "--report", f"{folder}/./r.json"], np=ranks), 64,
            "--report", "also an output")
    merged = run(["merge", folder / "set", "-o", folder / "set/fashion_mnist1.h5"], np=0,
                 program="tpmodel")
    equal(merged.status, 64, f"status of merge; {merged.stderr}")
    for path, content in before.items():
        expect(path.read_bytes() == content, f"{path.name} is what it was")


@check
def refusals(folder):
    x = ["--model", MODEL, "-i", "ones"]
    refused(run([*x, "--mesh", "dp=0"]), 64, "--mesh dp=0", "dp=2,tp=4")
    refused(run([*x, "--mesh", f"tp={NP + 1}"]), 64, f"{NP + 1} ranks", f"{NP}")
    refused(run([*x, "--mesh", f"dp={NP + 1}"]), 64, f"{NP} ranks", f"{NP + 1}")
    refused(run([*x, "--rank-weights", "1," * NP + "1"]), 64, f"{NP + 1} weights", f"{NP} ranks")
    refused(run([*x, "--rank-weights", "0"]), 64, "not all 0")
    refused(run([*x, "--output", folder / "y{dp}.npy"]), 64, "{dp}", "inputs")
    fixed = graph({"x": [4, 6]}, "y", node("Neg", "x", "y"))
    write_model(folder / "m.h5", fixed)
    refused(run(["--model", folder / "m.h5", "--micro-batches", "2"]), 64, "--micro-batches",
            "first extent")
    summed = graph({"x": ["batch", 6]}, "y", node("ReduceSum", "x", "y", axes=[0]))
    write_model(folder / "s.h5", summed)
    np.save(folder / "x.npy", np.ones((4, 6), np.float32))
    refused(run(["--model", folder / "s.h5", "-i", folder / "x.npy", "--micro-batches", "2"]), 64,
            "--micro-batches", "ReduceSum")
    if NP > 1:
        refused(run(["--model", folder / "s.h5", "-i", folder / "x.npy", "--mesh", f"dp={NP}"]),
                64, "no operator has rows")
        refused(run(["--model", folder / "s.h5", "-i", folder / "x.npy", "--mesh", f"pp={NP}"]),
                64, f"{NP} pipeline stages", "1 operators")
    no_leftovers(folder)


main()
