import json

import h5py
import numpy as np

w = np.arange(96 * 16, dtype=np.float32).reshape(96, 16)
graph = {"inputs": [{"name": "x", "dtype": "float32", "shape": [128, 96]}], "outputs": ["y"],
         "nodes": [{"op": "MatMul", "inputs": ["x", "w"], "outputs": ["y"]}]}
for rank in range(2):
    with h5py.File(f"Matmul{rank}.h5", "w") as file:
        file.attrs.update(format="tpinfer", format_version=1, rank=rank, ranks=2, checkpoint="run 7")
        file["graphs/main"] = json.dumps(graph)
        file["weights/w"] = w[:, 8 * rank:8 * rank + 8]
        file["weights/w"].attrs.update(full_shape=[96, 16], offset=[0, 8 * rank])
