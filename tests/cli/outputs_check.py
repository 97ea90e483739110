#!/usr/bin/python3
# ranks: 1 3
"""Where outputs go: every format, by rows, per rank; what is printed; what the report says."""
import json

import h5py
import numpy as np

from answers import STREAMED, filled, graph, hashes, node, printed, report, sha256
from harness import *

RANDOM = np.random.default_rng(9)
X = RANDOM.integers(-3, 4, (11, 96)).astype(np.float32)
W = RANDOM.integers(-3, 4, (96, 16)).astype(np.float32)
Y = X @ W
# float32, int64 and bool, one of them without a batch of its own.
SEVERAL = graph({"x": ["batch", 96]}, "y k positive", node("MatMul", "x w", "y"),
                node("ArgMax", "y", "k", axis=1, keepdims=0), node("Relu", "y", "r"),
                node("Cast", "r", "positive", to="bool"))
WANTED = {"y": Y, "k": Y.argmax(axis=1), "positive": Y > 0}


def several(folder):
    write_model(folder / "m.h5", SEVERAL, {"w": W})
    np.save(folder / "x.npy", X)
    return ["--model", folder / "m.h5", "--input", folder / "x.npy"]


def same(got, want, what):
    equal((str(got.dtype), got.shape, got.tobytes()), (str(want.dtype), want.shape, want.tobytes()),
          what)


@check
def every_format_read_back(folder):
    arguments = several(folder)
    for name in ("o.npz", "o.h5", "o.json"):
        for more in ([], ["--batch-size", "4"]):
            result = run([*arguments, *more, "--output", folder / name])
            equal(hashes(result), {key: sha256(array) for key, array in WANTED.items()}, "hashes")
            if name == "o.json":
                text = json.loads((folder / name).read_text())
                equal(text["schema"], 1, "schema of the JSON")
                got = {key: np.array(o["data"], o["dtype"]).reshape(o["shape"])
                       for key, o in text["outputs"].items()}
            elif name == "o.npz":
                with np.load(folder / name) as file:
                    got = {key: file[key] for key in file.files}
            else:
                with h5py.File(folder / name) as file:
                    got = {key: file[key][()] for key in file}
            equal(set(got), set(WANTED), f"names in {name}")
            for key in WANTED:
                same(got[key], WANTED[key], f"{key} in {name} with {more}")
    refused(run([*arguments, "--output", folder / "o.npy"]), 64, ".npy", "3")
    refused(run([*arguments, "--output", folder / "o.csv"]), 64, "o.csv")
    equal(sorted(p.name for p in folder.iterdir()), ["m.h5", "o.h5", "o.json", "o.npz", "x.npy"],
          "files")


@check
def one_file_per_rank_and_an_older_one(folder):
    write_model(folder / "m.h5", STREAMED, {"w": W})
    np.save(folder / "x.npy", X)
    arguments = ["--model", folder / "m.h5", "--input", folder / "x.npy"]
    (folder / "y0.npy").write_text("older")
    result = run([*arguments, "--output", f"{folder}/y{{rank}}.npy"])
    equal(result.status, 0, f"status; {result.stderr}")
    for rank in range(NP):
        same(np.load(folder / f"y{rank}.npy"), -Y, f"output of rank {rank}")
    equal((folder / "y0.npy").stat().st_mode & 0o777, 0o644, "mode, with the umask of the test")


@check
def streaming(folder):
    write_model(folder / "m.h5", STREAMED, {"w": W})
    np.save(folder / "x.npy", X)
    arguments = ["--model", folder / "m.h5", "--input", folder / "x.npy"]
    for rows in (1, 2, 4, 10, 11, 1000):
        result = run([*arguments, "--batch-size", rows, "--output", folder / "y.npy"])
        equal(hashes(result), {"y": sha256(-Y)}, f"hash by {rows} rows")
        same(np.load(folder / "y.npy"), -Y, f"file by {rows} rows")
        equal(printed(result)["y"], (Y.nbytes, Y.size, (-Y).ravel()[:10].tolist()), "printed")
    mixes = graph({"x": ["batch", 96]}, "y", node("ReduceSum", "x", "total", axes=[0], keepdims=1),
                  node("Sub", "x total", "y", name="minus"))
    write_model(folder / "mixes.h5", mixes)
    arguments = ["--model", folder / "mixes.h5", "--input", folder / "x.npy"]
    equal(hashes(run(arguments)), {"y": sha256(X - X.sum(axis=0))}, "all rows at once")
    for rows in (1, 4):
        refused(run([*arguments, "--batch-size", rows]), 64, "--batch-size", "ReduceSum total")
    # Keeps all rows of a batch of 4, but not of the 11: chance must not decide.
    head = graph({"x": ["batch", 96]}, "y", node("Slice", "x", "y", name="head", starts=[0],
                                                 ends=[4], axes=[0]))
    write_model(folder / "head.h5", head)
    for rows in (1, 4, 5):
        refused(run(["--model", folder / "head.h5", "--input", folder / "x.npy", "--batch-size",
                     rows]), 64, "--batch-size", "Slice head")
    fixed = graph({"x": [11, 96]}, "y", node("Neg", "x", "y"))
    write_model(folder / "fixed.h5", fixed)
    refused(run(["--model", folder / "fixed.h5", "--batch-size", "4"]), 64, "--batch-size", "batch")


@check
def what_is_printed(folder):
    arguments = several(folder)
    lines = "tensor's name is:{} data size is:{} tensor elements num is:{}\noutput data is: {}\n"

    def text(head):
        parts = {"y": [repr(float(v)) for v in Y.ravel()[:head]],
                 "k": [str(v) for v in WANTED["k"][:head]],
                 "positive": [str(v) for v in WANTED["positive"].ravel()[:head]]}
        return "".join(lines.format(name, WANTED[name].nbytes, WANTED[name].size,
                                    "".join(value + " " for value in values))
                       for name, values in parts.items())
    equal(run(arguments).stdout, text(10), "ten values")
    equal(run([*arguments, "--print-head", "3"]).stdout, text(3), "three values")
    equal(run([*arguments, "--print-head", "0"]).stdout, "", "none")
    equal(run([*arguments, "--print-head", "12345"]).stdout, text(12345), "all")
    equal(run([*arguments, "--print-rank", "all"]).stdout, text(10) * NP, "every rank")
    equal(run([*arguments, "--print-rank", NP - 1]).stdout, text(10), "the last rank")
    refused(run([*arguments, "--print-rank", NP]), 64, "--print-rank", f"0 to {NP - 1}")


@check
def numbers_look_as_numpy_prints_them(folder):
    values = [1e-5, 1456.0, -0.0, 0.1, 1e16, 123456789.0, 3.4028235e38, 1e-45, np.nan, -np.inf]
    values = np.array(values, np.float32)
    np.save(folder / "x.npy", values)
    write_model(folder / "m.h5", graph({"x": [10]}, "y", node("Identity", "x", "y")))
    result = run(["--model", folder / "m.h5", "-i", folder / "x.npy", "-o", folder / "y.json"])
    equal(result.stdout.splitlines()[-1],
          "output data is: " + "".join(str(v) + " " for v in values), "stdout")
    data = json.loads((folder / "y.json").read_text())["outputs"]["y"]["data"]
    equal(np.array(data, np.float32).tobytes(), values.tobytes(), "JSON")


@check
def accuracy_of_labels(folder):
    write_model(folder / "m.h5", STREAMED, {"w": W})
    np.save(folder / "x.npy", X)
    labels = (-Y).argmax(axis=1)
    labels[[2, 5, 7]] = 16
    np.save(folder / "labels.npy", labels)
    arguments = ["--model", folder / "m.h5", "--input", folder / "x.npy", "--labels"]
    for more in ([], ["--batch-size", "4"], ["--repeat", "2"]):
        result = run([*arguments, folder / "labels.npy", *more])
        equal(result.stdout.splitlines()[-1], "accuracy 8/11 0.7273", f"accuracy {more}")
    np.save(folder / "few.npy", labels[:10])
    refused(run([*arguments, folder / "few.npy"]), 65, "10 labels", "11")
    np.save(folder / "float.npy", labels.astype(np.float32))
    refused(run([*arguments, folder / "float.npy"]), 65, "float32")
    refused(run([*arguments, folder / "none.npy"]), 66, "none.npy")


@check
def the_report(folder):
    arguments = several(folder)
    result = run([*arguments, "--report", folder / "r.json", "--repeat", "2", "--threads", "1"])
    got = report(folder / "r.json")
    equal({key: got[key] for key in ("schema", "ranks", "nodes", "threads_per_rank", "mesh", "rows",
                                     "repeat", "kernels", "fast", "weight_bytes")},
          {"schema": 1, "ranks": NP, "nodes": 1, "threads_per_rank": 1, "mesh": f"tp {NP}",
           "rows": 11, "repeat": 2, "kernels": got["kernels"], "fast": False,
           "weight_bytes": W.nbytes}, "report")
    equal({o["name"]: o["sha256"] for o in got["outputs"]}, hashes(result), "hashes")
    equal([(o["dtype"], o["shape"]) for o in got["outputs"]],
          [(str(array.dtype), list(array.shape)) for array in WANTED.values()], "outputs")
    equal(len(got["rank"]), NP, "ranks")
    for rank in got["rank"]:
        expect(all(rank[key] >= 0 for key in ("load_seconds", "compute_seconds", "waiting_seconds",
                                              "communication_seconds")), f"times of {rank}")
    contains(got["version"], "tpinfer ", "version")


main()
