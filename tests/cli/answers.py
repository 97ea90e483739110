"""What a run of tpinfer said: values, hashes, refusals; and small graphs to run."""
import hashlib
import json
import re

import numpy as np

_OUTPUT = re.compile(r"^tpinfer: output (\S+) sha256 ([0-9a-f]{64}) equal on (\d+)/(\d+) ranks$",
                     re.M)
_HEAD = re.compile(r"^tensor's name is:(\S+) data size is:(\d+) tensor elements num is:(\d+)\n"
                   r"output data is: (.*)$", re.M)


def sha256(array):
    """As tpinfer prints it: of the raw bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def hashes(result):
    """{output: hash} of a run whose outputs were equal on all its ranks."""
    found = _OUTPUT.findall(result.stderr)
    if result.status != 0 or not found or any(equal != ranks for _, _, equal, ranks in found):
        raise AssertionError(f"status {result.status}, stderr {result.stderr}")
    return {name: hash for name, hash, _, _ in found}


def printed(result):
    """{output: (bytes, elements, [values])} as printed on stdout."""
    return {name: (int(size), int(count), [float(value) for value in values.split()])
            for name, size, count, values in _HEAD.findall(result.stdout)}


def report(path):
    return json.loads(path.read_text())


def node(op, inputs, output, name=None, **attributes):
    """A node of a graph with one output; its name is its output's unless given."""
    result = {"op": op, "inputs": inputs.split(), "outputs": [output]}
    if name:
        result["name"] = name
    if attributes:
        result["attributes"] = attributes
    return result


def graph(inputs, outputs, *nodes):
    """inputs: {name: shape} or {name: (dtype, shape)}; outputs: names with blanks between."""
    values = []
    for name, spec in inputs.items():
        typed = len(spec) == 2 and isinstance(spec[1], list)
        dtype, shape = spec if typed else ("float32", spec)
        values.append({"name": name, "dtype": dtype, "shape": list(shape)})
    return {"inputs": values, "outputs": outputs.split(), "nodes": list(nodes)}


def filled(value, rows=96, columns=16):
    return np.full((rows, columns), value, np.float32)


# y = -(x w)
MATMUL_NEG = graph({"x": [128, 96]}, "y", node("MatMul", "x w", "xw"), node("Neg", "xw", "y"))
STREAMED = graph({"x": ["batch", 96]}, "y", node("MatMul", "x w", "xw"), node("Neg", "xw", "y"))
RAMP = np.arange(96 * 16, dtype=np.float32).reshape(96, 16)  # w[i, j] = 16 i + j
