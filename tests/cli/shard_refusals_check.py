#!/usr/bin/python3
# ranks: 1 3
"""Shard files and masters that do not fit together or contradict themselves are refused, named."""
import json

import h5py
import numpy as np

from answers import MATMUL_NEG, RAMP, graph, node
from checkpoints import A_20, write_shard, write_shards
from harness import *


def shards(folder):
    write_shards(folder / "m{}.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_20}, 8)


@check
def what_does_not_belong_together(folder):
    def refuse(*parts, model="m.h5"):
        result = run(["--model", folder / model])
        refused(result, 65, *parts)

    def rewrite(array=RAMP, graph=MATMUL_NEG, name="m2.h5", **attributes):
        write_shards(folder / "tmp{}", graph, {"w": array}, {"w": A_20}, 8, [2])
        (folder / "tmp2").rename(folder / name)
        with h5py.File(folder / name, "r+") as file:
            file.attrs.update(attributes)

    shards(folder)
    rewrite(checkpoint="run 2")
    refuse("m2.h5", "run 1", "run 2")
    rewrite(ranks=7)
    refuse("m2.h5", "8", "7")
    rewrite()
    rewrite(name="m9.h5")
    refuse("m2.h5", "m9.h5", "rank 2")
    (folder / "m9.h5").unlink()
    rewrite(rank=8)
    refuse("m2.h5", "rank 8", "0 to 7")
    rewrite(rank=-1)
    refuse("m2.h5", "rank -1")
    rewrite(array=RAMP.astype("f8"))
    refuse("m2.h5", "weight w", "float32", "float64")
    rewrite(array=np.ones((96, 32), np.float32))
    refuse("m2.h5", "weight w", "(96,16)", "(96,32)")
    rewrite(graph=graph({"x": [128, 96]}, "y", node("MatMul", "x w", "y")))
    refuse("m2.h5", "different graphs")
    rewrite()
    with h5py.File(folder / "m2.h5", "r+") as file:
        del file.attrs["rank"]
        del file["weights/w"]
        file["weights/w"] = RAMP
    refuse("m2.h5", "rank is missing")
    (folder / "m2.h5").write_bytes(b"damaged")
    refuse("m2.h5", "not an HDF5 file")


@check
def a_plain_model_in_the_place_of_a_shard_file(folder):
    """It would fit the master's mapping here and there, and give wrong numbers."""
    write_model(folder / "one.h5", MATMUL_NEG, {"w": RAMP})
    made = run(["shard", folder / "one.h5", "--ranks", "3", "-o", folder / "set"], np=0,
               program="tpmodel")
    equal(made.status, 0, made.stderr)
    for rank in range(3):
        kept = (folder / f"set/one{rank}.h5").read_bytes()
        (folder / f"set/one{rank}.h5").write_bytes((folder / "one.h5").read_bytes())
        for model in ("set", "set/one.h5"):
            refused(run(["--model", folder / model]), 65, f"one{rank}.h5", "checkpoint")
        (folder / f"set/one{rank}.h5").write_bytes(kept)


@check
def slices_that_contradict_themselves(folder):
    def refuse(attributes, *parts, array=RAMP[:48]):
        write_shard(folder / "m0.h5", MATMUL_NEG, 0, 2, [("w", array, attributes)])
        refused(run(["--model", folder / "m.h5"]), 65, "m0.h5", "/weights/w", *parts)
    full = {"full_shape": [96, 16]}
    write_shard(folder / "m1.h5", MATMUL_NEG, 1, 2, [("w", RAMP[48:], {**full, "offset": [48, 0]})])
    halves = {"dev_matrix": [2, 1], "tensor_map": [1, -1]}
    refuse({**full, "offset": [49, 0]}, "(48,16)", "(49,0)", "(96,16)")
    refuse({**full, "offset": [-1, 0]}, "(-1,0)")
    refuse({**full, "offset": [0]}, "(0,)")
    refuse({**full, **halves, "offset": [1, 0]}, "[0:48,0:16]", "[1:49,0:16]")
    refuse({**full, "dev_matrix": [4, 1], "tensor_map": [1, -1]}, "(48,16)", "[0:24,0:16]")
    refuse({**full, "dev_matrix": [2, 1]}, "dev_matrix without tensor_map")
    refuse({**full, "tensor_map": [1, -1]}, "tensor_map without dev_matrix")
    refuse({**full, "dev_matrix": [2, 1], "tensor_map": [2, -1]}, "entry 2")
    refuse({**full, "dev_matrix": [2, 1], "tensor_map": [-2, -1]}, "tensor_map")
    refuse({**full, "dev_matrix": [2, 1], "tensor_map": "[1, "}, "tensor_map")
    refuse({**full, "dev_matrix": [2, 1], "tensor_map": '{"a": 1}'}, "tensor_map")
    refuse({**full, "dev_matrix": [2, 1], "tensor_map": [1.0, -1.0]}, "tensor_map", "integers")
    refuse({**full, "dev_matrix": [0, 1], "tensor_map": [1, -1]}, "device matrix entry 0")
    refuse({**full, "dev_matrix": [5, 1], "tensor_map": [1, -1]}, "96", "5")
    refuse({**full, **halves, "opt_shard_step": 0, "opt_shard_size": 2}, "step 0")
    refuse({"full_shape": [-96, 16], "offset": [0, 0]}, "full_shape")
    refuse(full, "(48,16)", "(96,16)", "offset")
    refuse(halves, "full_shape", array=RAMP)
    # Two halves of a tensor with a hole between them.
    write_shard(folder / "m0.h5", MATMUL_NEG, 0, 2, [("w", RAMP[:40], {**full, "offset": [0, 0]})])
    refused(run(["--model", folder / "m.h5"]), 65, "weight w", "[40:48,0:16]", "none of the files")
    # A slice in a file without a rank is no whole weight.
    write_model(folder / "plain.h5", MATMUL_NEG, {"w": RAMP})
    with h5py.File(folder / "plain.h5", "r+") as file:
        file["weights/w"].attrs["full_shape"] = [96, 16]
    refused(run(["--model", folder / "plain.h5"]), 65, "full_shape", "rank")


@check
def masters_that_lead_elsewhere(folder):
    def refuse(file, *parts, selection=None, shape=(96, 16)):
        layout = h5py.VirtualLayout((96, 16), "f4")
        source = h5py.VirtualSource(file, "weights/w", shape)
        if selection is None:
            layout[:] = source
        else:
            layout[selection] = source[selection]
        with h5py.File(folder / "master.h5", "w", libver="latest") as master:
            master.attrs.update({"format": "tpinfer", "format_version": 1})
            master["graphs/main"] = json.dumps(MATMUL_NEG)
            master.create_virtual_dataset("weights/w", layout)
        result = run(["--model", folder / "master.h5"])
        refused(result, 65, *parts)
    (folder / "below").mkdir()
    for path in (folder / "m0.h5", folder / "below/m0.h5"):
        write_model(path, MATMUL_NEG, {"w": RAMP})
    refuse(folder / "m0.h5", "own folder")
    refuse("below/m0.h5", "own folder", "below/m0.h5")
    refuse("../m0.h5", "own folder")
    refuse("m0.h5", "one block", selection=np.s_[::2, :])
    refuse("m1.h5", "m1.h5", "in no file")
    refuse("m0.h5", "[0:48,0:16]" if NP == 1 else "in no", selection=np.s_[48:, :])
    write_model(folder / "m0.h5", MATMUL_NEG, {"w": RAMP[:95]})
    refuse("m0.h5", "(95,16)", "[0:96,0:16]")
    write_model(folder / "m0.h5", MATMUL_NEG, {"w": RAMP.astype("f8")})
    refuse("m0.h5", "float64")
    write_model(folder / "m0.h5", MATMUL_NEG, {"v": RAMP})
    refuse("m0.h5", "no such weight")
    refuse("master.h5", "the file itself")
    no_leftovers(folder)


main()
