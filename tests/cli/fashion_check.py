#!/usr/bin/python3
# ranks: 1 2 3 4 5 8
"""The example network on real data: the committed accuracy, and one hash whatever the ranks, the
batches, the kernels and the threads."""
import gzip
import re

import numpy as np

from answers import hashes, sha256
from harness import *

MODEL = SOURCE / "examples/fashion_mnist.h5"
# Of the probabilities of all 10,000 test images. It changes only with the weights or with the
# version of the arithmetic, and is the same for every rank count, so it stands here.
WHOLE = {"probabilities": "63f45d2ee8e22e4570bfb5f767fab1001689f1d828120f5d7c8f89df58efd20d"}


def images():
    return fashion_mnist("t10k-images-idx3-ubyte.gz")


@check
def the_committed_accuracy_and_hash(folder):
    committed = re.search(r"\*\*accuracy (0\.\d+)\*\*", (SOURCE / "examples/README.md").read_text())
    right = round(float(committed[1]) * 10000)
    expect(right >= 8800, f"the committed accuracy {committed[1]} is at least 0.88")
    result = run(["--model", MODEL, "--input", images(), "--labels",
                  fashion_mnist("t10k-labels-idx1-ubyte.gz"), "--output", folder / "y.npy"])
    equal(result.stdout.splitlines()[-1], f"accuracy {right}/10000 {right / 10000:.4f}", "accuracy")
    equal(hashes(result), WHOLE, "hash")
    y = np.load(folder / "y.npy")
    equal(sha256(y), WHOLE["probabilities"], "hash of the file")
    expect(np.abs(y.sum(axis=1) - 1).max() < 10 * 2**-24, "probabilities of ten classes sum to one")


@check
def the_same_hash_in_every_way(folder):
    for more in (["--batch-size", "1000"], ["--batch-size", "2999"], ["--kernels", "blas"],
                 ["--threads", "2"], ["--plan", "fastest"], ["--repeat", "2", "--threads", "3"]):
        equal(hashes(run(["--model", MODEL, "--input", images(), *more])), WHOLE, f"hash {more}")


@check
def the_same_hash_for_a_few_rows(folder):
    with gzip.open(images()) as file:
        rows = np.frombuffer(file.read()[16:], np.uint8).reshape(10000, 28, 28)[:23]
    np.save(folder / "x.npy", rows)
    first = ["--model", MODEL, "--input", folder / "x.npy"]
    want = hashes(run([*first, "--output", folder / "y.npy"]))
    whole = run(["--model", MODEL, "--input", images(), "--output", folder / "all.npy"])
    equal(hashes(whole), WHOLE, "hash of all rows")
    equal(np.load(folder / "y.npy").tobytes(), np.load(folder / "all.npy")[:23].tobytes(),
          "the first rows alone and among all")
    for more in (["--batch-size", "1"], ["--batch-size", "7"], ["--batch-size", "11"],
                 ["--batch-size", "100"], ["--kernels", "reference"]):
        equal(hashes(run([*first, *more])), want, f"hash {more}")


@check
def the_known_answers(folder):
    result = run(["--model", MODEL, "--check"])
    equal((result.status, result.stdout), (0, "check: PASS 3/3\n"), "check")


main()
