#!/usr/bin/python3
# ranks: 1 3 8
"""Models that cannot be run: one line that says why, and the exit code, however many ranks."""
import copy
import os
import subprocess
import zipfile

import h5py
import numpy as np

from answers import MATMUL_NEG, filled, graph, node
from harness import *


def refuse_model(folder, status, *parts, name="m.h5"):
    refused(run(["--model", folder / name]), status, *parts)


def refuse_graph(folder, changed, *parts, weights=None):
    write_model(folder / "m.h5", changed, {"w": filled(0.5)} if weights is None else weights)
    refuse_model(folder, 65, *parts)


@check
def what_is_no_file(folder):
    refuse_model(folder, 66, "none.h5", "No such file", name="none.h5")
    (folder / "a_folder").mkdir()
    refuse_model(folder, 66, "a_folder", name="a_folder")
    os.mkfifo(folder / "fifo.h5")
    refuse_model(folder, 66, "fifo.h5", name="fifo.h5")  # and does not wait for a writer
    refused(run([]), 64, "--model")
    no_leftovers(folder)


@check
def a_file_without_permission(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    (folder / "m.h5").chmod(0)
    prefix = []
    if os.geteuid() == 0:  # root reads everything, unless it gives that up
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
            raise Skipped("setpriv cannot drop capabilities here")
    refused(run(["--model", folder / "m.h5"], prefix=prefix), 66, "m.h5", "Permission denied")


@check
def what_is_not_hdf5(folder):
    (folder / "empty.h5").touch()
    (folder / "text.h5").write_text("not a model\n" * 200)
    with zipfile.ZipFile(folder / "zip.h5", "w") as file:
        file.writestr("model.json", "{}" * 1000)
    for name in ("empty", "text", "zip"):
        refuse_model(folder, 65, f"{name}.h5", "HDF5", name=f"{name}.h5")
    with h5py.File(folder / "other.h5", "w") as file:
        file["data"] = np.ones(5)
    refuse_model(folder, 65, "other.h5", name="other.h5")
    write_model(folder / "new.h5", MATMUL_NEG, {"w": filled(0.5)}, format_version=999)
    refuse_model(folder, 65, "999", name="new.h5")


@check
def a_truncated_file(folder):
    weights = {"w": np.ones((96, 1600), np.float32)}
    write_model(folder / "whole.h5", MATMUL_NEG, weights)
    whole = (folder / "whole.h5").read_bytes()
    for share in (0.001, 0.01, 0.5, 0.9, 0.999) if NP == 3 else (0.5,):
        (folder / "m.h5").write_bytes(whole[:int(share * len(whole))])
        refuse_model(folder, 65, "m.h5")
    no_leftovers(folder)


@check
def weights_that_do_not_fit(folder):
    refuse_graph(folder, MATMUL_NEG, "xw", "w", weights={"v": filled(0.5)})
    refuse_graph(folder, MATMUL_NEG, "xw", "96", "95", weights={"w": filled(0.5, 95)})
    refuse_graph(folder, MATMUL_NEG, "xw", weights={"w": np.ones((3, 96, 5, 16), np.float32)})
    refuse_graph(folder, MATMUL_NEG, "w", weights={"w": np.full((96, 16), b"text")})


@check
def graphs_that_are_wrong(folder):
    def change(index, **values):
        changed = copy.deepcopy(MATMUL_NEG)
        changed["nodes"][index].update(values)
        return changed
    refuse_graph(folder, change(1, op="Frobnicate"), "Frobnicate", "y", "MatMul")
    refuse_graph(folder, change(0, inputs=["y", "w"]), "cycle", "xw", "y")
    refuse_graph(folder, change(1, inputs=["nobody"]), "nobody")
    refuse_graph(folder, change(1, inputs=["xw", "xw"]), "Neg y")
    refuse_graph(folder, change(1, strategie=[[1, 1]]), "strategie")
    refuse_graph(folder, change(0, attributes={"transB": 1}), "MatMul xw", "transB", "known: none")
    refuse_graph(folder, {**MATMUL_NEG, "outputs": ["z"]}, "z")
    refuse_graph(folder, {**MATMUL_NEG, "outputs": []}, "outputs")
    refuse_graph(folder, graph({"x": ("complex64", [1])}, "y", node("Neg", "x", "y")), "complex64")
    refuse_graph(folder, graph({"x": [-1]}, "y", node("Neg", "x", "y")), "-1")
    huge = graph({"x": [2**40, 2**40]}, "y", node("Neg", "x", "y"))
    refuse_graph(folder, huge, "Neg y", "overflows")
    for text in ("{", "[]", '{"nodes": 1}', "\0", "[" * 100000):
        write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
        with h5py.File(folder / "m.h5", "r+") as file:
            del file["graphs/main"]
            file["graphs/main"] = np.bytes_(text) if text == "\0" else text
            file["graphs/main"].attrs["index"] = 0
        refuse_model(folder, 65, "graph")


@check
def known_answers_that_do_not_fit(folder):
    ones = np.ones((127, 96), np.float32)
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)},
                [{"inputs": {"x": ones}, "outputs": {"y": ones}}])
    for more in ([], ["--check"]):
        refused(run(["--model", folder / "m.h5", *more]), 65, "x", "(127,96)")


@check
def more_memory_than_there_is(folder):
    big = graph({"x": ["batch", 1000]}, "y", node("MatMul", "x w", "h"),
                node("MatMul", "h v", "y"))
    weights = {"w": np.ones((1000, 1), np.float32), "v": np.ones((1, 100000), np.float32)}
    write_model(folder / "m.h5", big, weights)
    rows = 10**9  # a sparse file: nothing of it is ever written
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 1000), }}"
    with open(folder / "x.npy", "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + head.ljust(117).encode())
        file.write(b"\n")
        file.truncate(128 + rows * 4000)
    refused(run(["--model", folder / "m.h5", "--input", folder / "x.npy"]), 71)


main()
