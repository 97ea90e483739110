"""The model that the checks of several hosts run: no result of it is a round number."""
import numpy as np

from answers import graph, node
from harness import write_model

ROWS = 24
_NETWORK = graph({"x": ["batch", 96]}, "y", node("MatMul", "x w1", "h"), node("Tanh", "h", "a"),
                 node("MatMul", "a w2", "b"), node("Softmax", "b", "y"))


def noise(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def write_network(folder, name="m.h5", seed=1, rows=ROWS):
    """Writes the model and its input x.npy into a folder; returns the model's path."""
    write_model(folder / name, _NETWORK, {"w1": noise((96, 192), seed),
                                          "w2": noise((192, 10), seed + 1)})
    np.save(folder / "x.npy", noise((rows, 96), 99))
    return folder / name
