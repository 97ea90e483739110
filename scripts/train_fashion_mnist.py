#!/usr/bin/python3
"""Trains the demo network on Fashion-MNIST and writes it as a tpinfer model (examples/README.md).

NumPy only, one thread, every random number from one seed: the same machine writes the same file.
The data are those of the Debian package dataset-fashion-mnist.
"""
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a product's bits depend on its thread count; set first

import argparse
import gzip
import json
import pathlib
import struct
import sys
import time

import h5py
import numpy as np

WIDTHS = [784, 512, 256, 10]
SCALE = np.float32(1 / 255)
EXAMPLES = [slice(0, 4), slice(4, 5), slice(5, 12)]  # test images of the three known answers


def read_idx(path):
    """An IDX file of unsigned bytes as an array."""
    with gzip.open(path, "rb") as file:
        zero, kind, rank = struct.unpack(">HBB", file.read(4))
        if zero != 0 or kind != 8:
            sys.exit(f"{path}: not an IDX file of unsigned bytes")
        shape = struct.unpack(f">{rank}I", file.read(4 * rank))
        return np.frombuffer(file.read(), np.uint8).reshape(shape)


def forward(parameters, rows):
    """Logits of `rows`, in the dtype of `rows`."""
    for layer in range(len(WIDTHS) - 1):
        weight, bias = parameters[2 * layer : 2 * layer + 2]
        rows = rows @ weight.astype(rows.dtype) + bias.astype(rows.dtype)
        if layer < len(WIDTHS) - 2:
            rows = np.maximum(rows, 0)
    return rows


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def gradients(parameters, rows, labels, keep, random):
    """Gradient of the mean cross-entropy, with inverted dropout behind each hidden layer."""
    layers = len(WIDTHS) - 1
    inputs, gates = [rows], []
    for layer in range(layers):
        rows = inputs[-1] @ parameters[2 * layer] + parameters[2 * layer + 1]
        if layer < layers - 1:
            kept = random.random(rows.shape, np.float32) < keep
            gates.append((kept & (rows > 0)) * np.float32(1 / keep))
            inputs.append(rows * gates[-1])
    delta = softmax(rows)
    delta[np.arange(len(labels)), labels] -= 1
    delta /= np.float32(len(labels))
    result = [None] * len(parameters)
    for layer in reversed(range(layers)):
        result[2 * layer] = inputs[layer].T @ delta
        result[2 * layer + 1] = delta.sum(axis=0)
        if layer > 0:
            delta = (delta @ parameters[2 * layer].T) * gates[layer - 1]
    return result


class Adam:
    """Adam with decoupled weight decay on the matrices (AdamW)."""

    def __init__(self, parameters, decay):
        self.decay = np.float32(decay)
        self.first = [np.zeros_like(p) for p in parameters]
        self.second = [np.zeros_like(p) for p in parameters]
        self.steps = 0

    def step(self, parameters, slopes, rate):
        self.steps += 1
        corrected = np.float32(rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps))
        for p, g, m, v in zip(parameters, slopes, self.first, self.second):
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.001) * (g * g - v)
            if p.ndim == 2:
                p -= np.float32(rate) * self.decay * p
            p -= corrected * m / (np.sqrt(v) + np.float32(1e-8))


def train(images, labels, options):
    """Parameters [weight, bias, ...] after a cosine-annealed run."""
    random = np.random.default_rng(options.seed)
    parameters = []
    for fan_in, fan_out in zip(WIDTHS, WIDTHS[1:]):
        deviation = np.float32(np.sqrt(2 / fan_in))
        parameters.append(random.standard_normal((fan_in, fan_out), np.float32) * deviation)
        parameters.append(np.zeros(fan_out, np.float32))
    rows = images.reshape(len(images), -1).astype(np.float32) * SCALE
    optimizer = Adam(parameters, options.decay)
    steps = -(-len(rows) // options.batch)
    for epoch in range(options.epochs):
        start, order = time.time(), random.permutation(len(rows))
        for step in range(steps):
            done = (epoch + step / steps) / options.epochs
            rate = options.rate * 0.5 * (1 + np.cos(np.pi * done))
            chosen = order[step * options.batch : (step + 1) * options.batch]
            slopes = gradients(parameters, rows[chosen], labels[chosen], options.keep, random)
            optimizer.step(parameters, slopes, rate)
        print(f"epoch {epoch + 1}/{options.epochs}  {time.time() - start:.1f} s", flush=True)
    return parameters


def graph_json():
    """The network as the graph of docs/model-format.md."""
    nodes = [
        {"op": "Cast", "inputs": ["image"], "outputs": ["pixels"], "attributes": {"to": 1}},
        {"op": "Mul", "inputs": ["pixels", "scale"], "outputs": ["scaled"]},
        {"op": "Flatten", "inputs": ["scaled"], "outputs": ["flat"], "attributes": {"axis": 1}},
    ]
    value, last = "flat", len(WIDTHS) - 1
    for layer in range(1, last + 1):
        product, biased = f"fc{layer}.product", "logits" if layer == last else f"fc{layer}.sum"
        nodes += [
            {"op": "MatMul", "inputs": [value, f"fc{layer}.weight"], "outputs": [product]},
            {"op": "Add", "inputs": [product, f"fc{layer}.bias"], "outputs": [biased]},
        ]
        value = biased
        if layer < last:
            value = f"fc{layer}.relu"
            nodes.append({"op": "Relu", "inputs": [biased], "outputs": [value]})
    nodes.append({"op": "Softmax", "inputs": [value], "outputs": ["probabilities"],
                  "attributes": {"axis": -1}})
    for node in nodes:
        node["name"] = node["outputs"][0].removesuffix(".product")
    image = {"name": "image", "dtype": "uint8", "shape": ["batch", 28, 28]}
    return json.dumps({"inputs": [image], "outputs": ["probabilities"], "nodes": nodes}, indent=1)


def write_model(path, parameters, images):
    """Writes weights, graph and known answers; the answers are computed in float64."""
    temporary = pathlib.Path(f"{path}.tmp")
    with h5py.File(temporary, "w") as file:
        file.attrs["format"] = "tpinfer"
        file.attrs["format_version"] = 1
        file["graphs/main"] = graph_json()
        file["weights/scale"] = SCALE
        for layer in range(len(WIDTHS) - 1):
            file[f"weights/fc{layer + 1}.weight"] = parameters[2 * layer]
            file[f"weights/fc{layer + 1}.bias"] = parameters[2 * layer + 1]
        for index, chosen in enumerate(EXAMPLES):
            batch = images[chosen]
            rows = batch.reshape(len(batch), -1).astype(np.float64) * np.float64(SCALE)
            answer = softmax(forward(parameters, rows))
            file[f"examples/{index}/inputs/image"] = batch
            output = file.create_dataset(f"examples/{index}/outputs/probabilities",
                                         data=answer.astype(np.float32))
            output.attrs["rtol"], output.attrs["atol"] = 1e-5, 1e-6
    temporary.replace(path)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", metavar="FOLDER")
    parser.add_argument("--output", default=root / "examples/fashion_mnist.h5", metavar="FILE")
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3, help="initial learning rate")
    parser.add_argument("--decay", type=float, default=0.02, help="weight decay")
    parser.add_argument("--keep", type=float, default=0.75, help="1 - dropout")
    options = parser.parse_args()
    data = pathlib.Path(options.data)
    if not (data / "train-images-idx3-ubyte.gz").exists():
        sys.exit(f"{data}: no Fashion-MNIST here; apt-get install dataset-fashion-mnist or --data")
    part = {name: read_idx(data / f"{name}-ubyte.gz")
            for name in ("train-images-idx3", "train-labels-idx1",
                         "t10k-images-idx3", "t10k-labels-idx1")}
    parameters = train(part["train-images-idx3"], part["train-labels-idx1"], options)
    images, labels = part["t10k-images-idx3"], part["t10k-labels-idx1"]
    rows = images.reshape(len(images), -1).astype(np.float32) * SCALE
    right = int((forward(parameters, rows).argmax(axis=1) == labels).sum())
    write_model(options.output, parameters, images)
    print(f"accuracy {right}/{len(labels)} {right / len(labels):.4f}")
    print(f"wrote {options.output} ({pathlib.Path(options.output).stat().st_size} bytes)")
    if right < 0.88 * len(labels):
        sys.exit("the network is worse than the demo promises (0.88)")


if __name__ == "__main__":
    main()
