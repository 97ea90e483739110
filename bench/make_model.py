"""The network that the whole-model benchmark runs: dense layers with Gelu between them."""
import json
import pathlib

import h5py
import numpy as np


def write_mlp(folder, widths, batches):
    """Writes folder/mlp.h5 and folder/x<batch>.npy for each batch. Returns the model's path."""
    random = np.random.default_rng(1)
    nodes, value = [], "x"
    path = pathlib.Path(folder) / "mlp.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "tpinfer", "format_version": 1})
        for layer, (inner, outer) in enumerate(zip(widths, widths[1:])):
            weight = random.standard_normal((inner, outer), np.float32) / np.float32(inner) ** 0.5
            file[f"weights/w{layer}"] = weight
            last = layer == len(widths) - 2
            product = "y" if last else f"product{layer}"
            nodes.append({"op": "MatMul", "inputs": [value, f"w{layer}"], "outputs": [product]})
            if not last:
                value = f"hidden{layer}"
                nodes.append({"op": "Gelu", "inputs": [product], "outputs": [value]})
        file["graphs/main"] = json.dumps({
            "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", widths[0]]}],
            "outputs": ["y"],
            "nodes": nodes,
        })
    for batch in batches:
        x = random.standard_normal((batch, widths[0]), np.float32)
        np.save(pathlib.Path(folder) / f"x{batch}.npy", x)
    return path
