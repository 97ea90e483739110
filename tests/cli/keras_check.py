#!/usr/bin/python3
# ranks: 1 2 3 4 5 8
"""Networks trained by others, imported from Keras files, against their published answers."""
import gzip
import hashlib
import json

import h5py
import numpy as np

from answers import hashes
from harness import *


def imported(folder, source, config=None):
    """model.h5 made by tpmodel import."""
    model = folder / "model.h5"
    arguments = ["import", shared_model(source), "-o", model]
    if config:
        arguments += ["--config", shared_model(config)]
    result = run(arguments, np=0, program="tpmodel")
    equal(result.status, 0, f"tpmodel import {source}: {result.stderr}")
    return model


def outputs_of(folder, model, x, name):
    """The outputs for rows x on the ranks of this check; one rank must have the same bits."""
    np.save(folder / "x.npy", x)
    arguments = ["--model", model, "--input", folder / "x.npy"]
    result = run([*arguments, "--output", folder / "y.npy"])
    equal(hashes(result), hashes(run(arguments, np=1)), f"{name}: hash on {NP} ranks and on one")
    return np.load(folder / "y.npy")


def close(got, want, tolerance, what):
    want = np.asarray(want)
    if equal(got.shape, want.shape, f"{what}: shape"):
        expect(np.abs(got - want).max() <= tolerance,
               f"{what}: differs by {np.abs(got - want).max()}, allowed {tolerance}")


@check
def mnist_outputs_that_tensorflow_published(folder):
    model = imported(folder, "mnist_mlp/KERAS_mnist_mlp_weights.h5",
                     "mnist_mlp/KERAS_mnist_mlp.json")
    x = np.loadtxt(shared_model("mnist_mlp/KERAS_mnist_mlp_inputs.dat"), dtype=np.float32)
    y = outputs_of(folder, model, x, "mnist_mlp")
    close(y, np.loadtxt(shared_model("mnist_mlp/KERAS_mnist_mlp_outputs.dat")), 1e-6, "mnist_mlp")


@check
def mnist_all_ten_thousand_classes(folder):
    model = imported(folder, "mnist_mlp/KERAS_mnist_mlp_weights.h5",
                     "mnist_mlp/KERAS_mnist_mlp.json")
    golden = json.loads(shared_model("golden/mnist_mlp.json").read_text())["KERAS_mnist_mlp"]
    with gzip.open(shared_model("mnist/t10k-images-idx3-ubyte.gz")) as file:
        pixels = np.frombuffer(file.read()[16:], np.uint8).reshape(10000, 784)
    labels = shared_model("mnist/t10k-labels-idx1-ubyte.gz")
    np.save(folder / "x.npy", pixels.astype(np.float32) / np.float32(255))
    arguments = ["--model", model, "--input", folder / "x.npy", "--labels", labels]
    result = run([*arguments, "--output", folder / "y.npy"])
    contains(result.stdout, "accuracy 9825/10000 0.9825\n", "stdout")
    classes = np.load(folder / "y.npy").argmax(axis=1)
    equal(hashlib.sha256(classes.astype(np.uint8).tobytes()).hexdigest(), golden["argmax_sha256"],
          "the hash of all classes")
    equal(classes.tolist(), golden["argmax"], "classes")
    close(np.load(folder / "y.npy")[:5], golden["probs_first5"], 1e-6, "probabilities")
    streamed = run([*arguments, "--batch-size", "768"])
    equal(hashes(streamed), hashes(result), "hash in pieces of 768 rows")
    equal(hashes(run(arguments, np=1)), hashes(result), f"hash on one rank and on {NP}")


@check
def jet_tagger(folder):
    model = imported(folder, "jet_tagger/KERAS_3layer_weights.h5", "jet_tagger/KERAS_3layer.json")
    golden = json.loads(shared_model("golden/KERAS_3layer.json").read_text())
    y = outputs_of(folder, model, np.array(golden["inputs"], np.float32), "jet_tagger")
    close(y, golden["probs"], 1e-6, "jet_tagger")


@check
def fixtures_as_whole_models_and_as_weights(folder):
    for name in ("ReLU_0", "simple_sparse_xent_mlp_keras_2"):
        with h5py.File(shared_model(f"keras_fixtures/{name}_inputs_and_outputs.h5")) as file:
            x = next(iter(file["inputs"].values()))[()]
            want = next(iter(file["predictions"].values()))[()]
        whole = imported(folder, f"keras_fixtures/{name}_model.h5")
        y = outputs_of(folder, whole, x, name)
        close(y, want, 1e-6, name)
        weights = imported(folder, f"keras_fixtures/{name}_weights.h5",
                           f"keras_fixtures/{name}_config.json")
        equal(outputs_of(folder, weights, x, name).tobytes(), y.tobytes(),
              f"{name}: from weights and from the whole model")


main()
