"""Writes pipeline.h5: two graphs over weights, methods that call them, and a pipeline of methods.

python3 examples/pipeline_matmul.py [VALUE]    VALUE: of graph 1's weight (0.5, graph 0's own)
"""
import json
import sys

import h5py
import numpy as np

value = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5


def graph(weight):
    return {
        "inputs": [{"name": "x", "dtype": "float32", "shape": [128, 96]}],
        "outputs": ["y"],
        "nodes": [
            {"op": "MatMul", "inputs": ["x", weight], "outputs": ["xw"]},
            {"op": "Neg", "inputs": ["xw"], "outputs": ["y"]},
        ],
    }


methods = {
    "fun1": {  # preprocess: x + x
        "inputs": [{"name": "x", "dtype": "float32", "shape": [128, 96]}],
        "outputs": ["y"],
        "preprocess": [{"op": "Add", "inputs": ["x", "x"], "outputs": ["doubled"]}],
        "graph": "matmul_0",
        "graph_inputs": {"x": "doubled"},
    },
    "fun2": {"inputs": ["x"], "outputs": ["y"], "graph": 1},
}
predict = {
    "inputs": ["x", "y"],
    "outputs": ["x", "z"],
    "steps": [
        {"method": "fun1", "inputs": {"x": "x"}, "outputs": {"y": "x"}},
        {"repeat": 10, "steps": [
            {"method": "fun2", "inputs": {"x": "y"}, "outputs": {"y": "z"}},
        ]},
    ],
}
with h5py.File("pipeline.h5", "w") as file:
    file.attrs["format"] = "tpinfer"
    file.attrs["format_version"] = 1
    file["weights/w"] = np.full((96, 16), 0.5, np.float32)
    if value != 0.5:
        file["weights/w1"] = np.full((96, 16), value, np.float32)
    file["graphs/matmul_0"] = json.dumps(graph("w"))
    file["graphs/matmul_1"] = json.dumps(graph("w" if value == 0.5 else "w1"))
    for name, method in methods.items():
        file[f"methods/{name}"] = json.dumps(method)
    file["pipelines/predict"] = json.dumps(predict)
