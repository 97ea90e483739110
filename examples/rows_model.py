"""Writes rows.h5: y = -(x w) for any number of rows, w[i, j] = 2 i + j."""
import json

import h5py
import numpy

graph = {
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 4]}],
    "outputs": ["y"],
    "nodes": [
        {"op": "MatMul", "inputs": ["x", "w"], "outputs": ["xw"]},
        {"op": "Neg", "inputs": ["xw"], "outputs": ["y"]},
    ],
}

with h5py.File("rows.h5", "w") as file:
    file.attrs.update({"format": "tpinfer", "format_version": 1})
    file["graphs/main"] = json.dumps(graph)
    file["weights/w"] = numpy.arange(8, dtype=numpy.float32).reshape(4, 2)
