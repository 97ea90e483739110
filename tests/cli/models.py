"""Model files for checks: written here, or found in the folder of shared models."""
import json
import os
import pathlib

import h5py

from programs import SOURCE

MODELS = pathlib.Path(os.environ.get("TPINFER_MODELS", SOURCE.parent / "shared/models"))

FASHION_MNIST = pathlib.Path(os.environ.get("DEMO_DATA", "/usr/share/datasets/fashion-mnist"))


class Skipped(Exception):
    """Raised by a check that cannot run here; main() counts it."""


def write_model(path, graph, weights=None, examples=(), **attributes):
    """Writes a model of docs/model-format.md.

    graph: one graph as a dict, or {name: graph} in index order. weights: {name: array}.
    examples: dicts with "inputs" and "outputs" ({name: array}), and perhaps "rtol" and "atol" (of
    all outputs) and "graph". attributes: replace those of the root.
    """
    graphs = {"main": graph} if "nodes" in graph else graph
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "tpinfer", "format_version": 1, **attributes})
        for index, (name, one) in enumerate(graphs.items()):
            file[f"graphs/{name}"] = json.dumps(one)
            file[f"graphs/{name}"].attrs["index"] = index
        for name, array in (weights or {}).items():
            file[f"weights/{name}"] = array
        for index, example in enumerate(examples):
            group = file.create_group(f"examples/{index}")
            if "graph" in example:
                group.attrs["graph"] = example["graph"]
            for kind in ("inputs", "outputs"):
                for name, array in example[kind].items():
                    group[f"{kind}/{name}"] = array
            tolerances = {key: example[key] for key in ("rtol", "atol") if key in example}
            for name in example["outputs"]:
                group[f"outputs/{name}"].attrs.update(tolerances)


def fashion_mnist(name):
    """A file of Debian's dataset-fashion-mnist. Without the package the check is skipped; in CI it
    fails."""
    path = FASHION_MNIST / name
    if not path.exists() and not os.environ.get("CI"):
        raise Skipped(f"no {path}; install dataset-fashion-mnist")
    return path


def shared_model(relative):
    """A file below TPINFER_MODELS. Without that folder the check is skipped; in CI it fails."""
    if not MODELS.is_dir() and not os.environ.get("CI"):
        raise Skipped(f"no models at {MODELS}; set TPINFER_MODELS")
    if not (MODELS / relative).exists():
        raise FileNotFoundError(MODELS / relative)
    return MODELS / relative
