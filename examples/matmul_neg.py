import json

import h5py
import numpy as np

w = np.arange(96 * 16, dtype=np.float32).reshape(96, 16)  # w[i, j] = 16 i + j
x = np.ones((128, 96), np.float32)
graph = {
    "inputs": [{"name": "x", "dtype": "float32", "shape": [128, 96]}],
    "outputs": ["y"],
    "nodes": [
        {"op": "MatMul", "inputs": ["x", "w"], "outputs": ["xw"]},
        {"op": "Neg", "inputs": ["xw"], "outputs": ["y"]},
    ],
}
with h5py.File("matmul_neg.h5", "w") as file:
    file.attrs["format"] = "tpinfer"
    file.attrs["format_version"] = 1
    file["weights/w"] = w
    file["graphs/main"] = json.dumps(graph)
    file["examples/0/inputs/x"] = x
    file["examples/0/outputs/y"] = -(x @ w)  # a known answer, exact to the bit
