#!/usr/bin/python3
"""What a pipeline saves: a first graph of cost a runs once and a second of cost b N times, against
one merged graph of both that runs N times. Ideal: N (a + b) / (a + N b).

  pipeline_speedup.py BIN_FOLDER [--ranks R] [--width W] [--rows M] [--times N] [--rounds K]

a/b is 5 in matrix products. Both variants are pipelines, run in turn, and must give the same bits.
Prints one line; exit code 1 when a program fails or the bits differ.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import h5py
import numpy as np

RATIO, UNIT = 5, 4  # products of the first graph per product of the second; of the second


def chain(value, count, prefix):
    nodes = []
    for i in range(count):
        nodes += [{"op": "MatMul", "inputs": [value, "w"], "outputs": [f"{prefix}p{i}"]},
                  {"op": "Tanh", "inputs": [f"{prefix}p{i}"], "outputs": [f"{prefix}{i}"]}]
        value = f"{prefix}{i}"
    return nodes, value


def write_model(path, width, rows, times):
    spec = lambda name: {"name": name, "dtype": "float32", "shape": [rows, width]}
    first, context = chain("x", RATIO * UNIT, "f")
    second, state = chain("sum", UNIT, "s")
    add = lambda name: {"op": "Add", "inputs": ["h", name], "outputs": ["sum"]}
    graphs = {
        "first": {"inputs": [spec("x")], "outputs": [context], "nodes": first},
        "second": {"inputs": [spec("c"), spec("h")], "outputs": [state],
                   "nodes": [add("c"), *second]},
        "merged": {"inputs": [spec("x"), spec("h")], "outputs": [state],
                   "nodes": [*first, add(context), *second]}}
    loop = lambda call: {"repeat": times, "steps": [{**call, "outputs": {state: "h"}}]}
    pipelines = {
        "split": [{"graph": "first", "outputs": {context: "c"}}, loop({"graph": "second"})],
        "together": [loop({"graph": "merged"})]}
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "tpinfer", "format_version": 1})
        file["weights/w"] = random.standard_normal((width, width), np.float32) / width ** 0.5
        for name, graph in graphs.items():
            file[f"graphs/{name}"] = json.dumps(graph)
        for name, steps in pipelines.items():
            file[f"pipelines/{name}"] = json.dumps(
                {"inputs": [spec("x"), spec("h")], "outputs": ["h"], "steps": steps})


def run(options, model, name):
    report = model.parent / "report.json"
    command = ["mpirun", "-n", str(options.ranks), str(options.bin / "tpinfer"), "--model",
               str(model), "--method", name, "--input", "x=ones", "--input", "h=zeros", "--threads",
               "1", "--print-head", "0", "--quiet", "--report", str(report)]
    if os.geteuid() == 0:  # Open MPI wants to be told
        os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    result = json.loads(report.read_text())
    return result["run_seconds"], result["outputs"][0]["sha256"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", type=pathlib.Path)
    for name, value in (("ranks", 1), ("width", 512), ("rows", 64), ("times", 64), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    ratios, hashes = [], set()
    with tempfile.TemporaryDirectory(prefix="tpinfer-bench-") as folder:
        model = pathlib.Path(folder) / "model.h5"
        write_model(model, options.width, options.rows, options.times)
        for _ in range(options.rounds):
            (split, one), (together, other) = (run(options, model, n) for n in ("split", "together"))
            ratios.append(together / split)
            hashes |= {one, other}
    if len(hashes) != 1:
        sys.exit(f"the outputs differ: {hashes}")
    n = options.times
    print(f"a/b = {RATIO}, N = {n}, {options.ranks} ranks: pipeline {split:.3f} s, merged graph "
          f"{together:.3f} s, {statistics.median(ratios):.2f} times as fast "
          f"({min(ratios):.2f} to {max(ratios):.2f}), ideal {n * (RATIO + 1) / (RATIO + n):.2f}; "
          f"same bits")


main()
