"""What the checks of methods and pipelines share: graphs, calls, the model of seed 001."""
import json
import subprocess
import sys

import h5py

from harness import SOURCE


def graph(shape, weight="w", nodes=None, outputs=("y",)):
    return {"inputs": [{"name": "x", "dtype": "float32", "shape": shape}], "outputs": list(outputs),
            "nodes": nodes or [{"op": "MatMul", "inputs": ["x", weight], "outputs": ["p"]},
                               {"op": "Neg", "inputs": ["p"], "outputs": ["y"]}]}


def add_calls(path, methods=None, pipelines=None, **attributes):
    with h5py.File(path, "a") as file:
        file.attrs.update(attributes)
        for section, entries in (("methods", methods), ("pipelines", pipelines)):
            for name, entry in (entries or {}).items():
                file[f"{section}/{name}"] = entry if isinstance(entry, str) else json.dumps(entry)


def seed_model(folder, *value):
    subprocess.run([sys.executable, SOURCE / "examples/pipeline_matmul.py", *value], cwd=folder,
                   check=True)
    return folder / "pipeline.h5"
