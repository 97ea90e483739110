#!/usr/bin/python3
# ranks: none
"""tpmodel shard, merge, reshard, verify, diff and inspect: every slice is what slicing gives, types
and known answers survive, what is damaged or missing is named, nothing half-written is left."""
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np

from answers import MATMUL_NEG, RAMP
from checkpoints import (A_20, A_21, A_22, A_23, A_24, A_28, slice_index, sparse_model, write_many,
                         write_shards)
from harness import *

STRATEGIES = {"A-21": ("((1,8),(8,1))", A_21), "A-22": ("((1,1),(1,8))", A_22),
              "A-23": ("((2,2),(2,2))", A_23), "A-24": ("((8,1),(1,1))", A_24)}


def tpmodel(*args, status=0):
    result = run(args, np=0, program="tpmodel")
    equal(result.status, status, f"status of tpmodel {args}; {result.stderr}")
    return result


def refused_by(program_args, status, *parts):
    result = run(program_args, np=0, program="tpmodel")
    equal(result.status, status, f"status of {program_args}; {result.stdout}{result.stderr}")
    equal(len(result.stderr.splitlines()), 1, f"lines in {result.stderr!r}")
    for part in parts:
        contains(result.stderr, str(part), "the line")


def stored(path, name="w"):
    """The elements of a dataset, and what its attributes say."""
    with h5py.File(path) as file:
        data = file[f"weights/{name}"]
        return data[()], {key: np.asarray(value).tolist() for key, value in data.attrs.items()}


def tree(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@check
def every_slice_is_what_slicing_gives(folder):
    source = folder / "a20"
    source.mkdir()
    write_shards(source / "m{}.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_20}, 8)
    for name, (strategy, layout) in STRATEGIES.items():
        made = folder / name
        tpmodel("reshard", source, "--ranks", 8, "--strategy", f"matmul={strategy}", "-o", made)
        for rank in range(8):
            array, attributes = stored(made / f"a20{rank}.h5")
            index = slice_index(rank, (96, 16), *layout)
            expect(np.array_equal(array, RAMP[index]), f"{name}: slice of rank {rank}")
            equal(attributes["offset"], [part.start for part in index], f"{name}: offset")
            equal(attributes["full_shape"], [96, 16], f"{name}: full shape")
            dev_matrix, tensor_map = attributes["dev_matrix"], attributes["tensor_map"]
            equal(slice_index(rank, (96, 16), dev_matrix, tensor_map), index, f"{name}: its map")
        contains(tpmodel("verify", made).stdout, "1 of 1 hashes proven", f"verify of {name}")


@check
def between_any_numbers_of_ranks(folder):
    source = folder / "set8"
    source.mkdir()
    write_shards(source / "m{}.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_28}, 8)
    tpmodel("merge", source, "-o", folder / "one.h5")
    expect(np.array_equal(stored(folder / "one.h5")[0], RAMP), "the merged weight")
    for model, ranks in ((source, 4), (source, 2), (folder / "set2", 8), (source, 3),
                         (source, 6), (folder / "set6", 4), (folder / "set3", 5),
                         (folder / "set5", 1), (folder / "set5", 13), (folder / "set13", 20)):
        made = folder / f"set{ranks}"
        if made.exists():
            made = folder / f"set{ranks} from {model.name}"
        tpmodel("reshard", model, "--ranks", ranks, "-o", made)
        with h5py.File(made / "set8.h5") as master:
            expect(master["weights/w"].is_virtual, "the master's weight is virtual")
            expect(np.array_equal(master["weights/w"][()], RAMP), f"{ranks} ranks, by h5py")
        equal(tpmodel("diff", folder / "one.h5", made).stdout, "no differences\n", f"{ranks} ranks")
        tpmodel("merge", made, "-o", folder / "back.h5")
        equal((folder / "back.h5").read_bytes(), (folder / "one.h5").read_bytes(), "merged bytes")


@check
def equal_contents_give_equal_bytes(folder):
    write_many(folder / "m.h5", write_model)
    tpmodel("shard", folder / "m.h5", "-n", 4, "-o", folder / "a")
    tpmodel("shard", folder / "m.h5", "-n", 3, "-o", folder / "b")
    tpmodel("merge", folder / "b", "-o", folder / "m2.h5")
    os.rename(folder / "m2.h5", folder / "b.h5")
    tpmodel("reshard", folder / "b", "-n", 4, "-o", folder / "c")
    equal(tree(folder / "c"), tree(folder / "a"), "4 files from 3 and from one")
    (folder / "x").mkdir()
    os.rename(folder / "b.h5", folder / "x/m.h5")
    tpmodel("shard", folder / "x/m.h5", "-n", 4, "-o", folder / "d")
    equal(tree(folder / "d"), tree(folder / "a"), "4 files from a merged model")


@check
def everything_survives(folder):
    write_many(folder / "m.h5", write_model)
    tpmodel("shard", folder / "m.h5", "-n", 5, "-o", folder / "set")
    tpmodel("merge", folder / "set" / "m{rank}.h5", "-o", folder / "bare.h5")
    tpmodel("merge", folder / "set", "-o", folder / "one.h5")
    with h5py.File(folder / "m.h5") as a, h5py.File(folder / "one.h5") as b, \
            h5py.File(folder / "set/m.h5") as c:
        names = []
        a["weights"].visititems(lambda name, item: names.append(name)
                                if isinstance(item, h5py.Dataset) else None)
        equal(len(names), 10, "weights")
        for name in names:
            for copy in (b, c):
                one, other = a[f"weights/{name}"], copy[f"weights/{name}"]
                equal((other.dtype, other.shape), (one.dtype, one.shape), f"type of {name}")
                expect(one[()].tobytes() == other[()].tobytes(), f"elements of {name} in {copy}")
                hashes = json.loads(copy["manifest"][()])["weights"]
                equal(hashes[name], hashlib.sha256(one[()].tobytes()).hexdigest(), "manifest")
        for copy in (b, c):
            equal(copy["weights/brain"].attrs["dtype"], b"bf16", "attribute of bfloat16")
            equal([copy["graphs"][g].attrs["index"] for g in ("first", "second")], [0, 1], "index")
            equal(json.loads(copy["graphs/first"][()]), json.loads(a["graphs/first"][()]), "graph")
            for path in ("0/inputs/x", "0/outputs/y", "1/outputs/z"):
                expect(np.array_equal(a["examples"][path], copy["examples"][path]), path)
            equal(copy["examples/1/outputs/z"].attrs["atol"], 0.5, "tolerance")
            equal(copy["examples/1"].attrs["graph"], b"second", "graph of an example")
    with h5py.File(folder / "set/m2.h5") as shard:
        hashes = json.loads(shard["manifest"][()])["weights"]
        for name, wanted in hashes.items():
            equal(hashlib.sha256(shard[f"weights/{name}"][()].tobytes()).hexdigest(), wanted,
                  f"manifest of a shard file: {name}")
        equal({attribute: int(shard.attrs[attribute]) for attribute in ("rank", "ranks")},
              {"rank": 2, "ranks": 5}, "place")
    differences = tpmodel("diff", folder / "m.h5", folder / "bare.h5", status=1).stdout
    equal(differences, "2 known answers and 0\n", "what shard files without a master lack")


@check
def the_plan_decides_what_a_file_holds(folder):
    write_many(folder / "m.h5", write_model)
    tpmodel("shard", folder / "m.h5", "-n", 3, "-o", folder / "cut")
    tpmodel("shard", folder / "m.h5", "-n", 3, "--plan", "fastest", "-o", folder / "fast")
    tpmodel("shard", folder / "m.h5", "-n", 4, "--strategy", "h=((1,4),(4,1))", "--set", "batch=2",
            "--graph", "first", "-o", folder / "rows")
    for made in ("cut", "fast", "rows"):
        contains(tpmodel("verify", folder / made).stdout, "10 of 10 hashes proven", made)
        equal(tpmodel("diff", folder / "m.h5", folder / made).stdout, "no differences\n", made)
    array, _ = stored(folder / "rows/m1.h5", "up")
    equal(array.shape, (6, 40), "a row of the strategy's cut")
    refused_by(["shard", folder / "m.h5", "-n", 5, "--strategy", "h=((1,5),(5,1))", "-o",
                folder / "no"], 64, "24", "5", "h")
    expect(not (folder / "no").exists(), "nothing was made")


@check
def inspect_shows_files_and_slices(folder):
    write_shards(folder / "m{}.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_20}, 8, [0, 1, 2, 3, 5])
    text = tpmodel("inspect", folder / "m.h5").stdout
    for part in ("rank 5: ", "m5.h5", "[0:96,4:8]", "5 slices", "rank 4: ", "is missing", "run 1"):
        contains(text, part, "inspect")
    table = json.loads(tpmodel("inspect", folder / "m.h5", "--json").stdout)
    equal(table["ranks"], 8, "ranks")
    equal(sorted(file["rank"] for file in table["files"] if file["missing"]), [4, 6, 7], "missing")
    equal([slice["offset"] for slice in table["weights"][0]["slices"]],
          [[0, 0], [0, 4], [0, 8], [0, 12], [0, 4]], "offsets")


@check
def verify_finds_the_damage(folder):
    def flip(path, at):
        with h5py.File(path) as file:
            offset = file["weights/w"].id.get_offset()
        data = bytearray(path.read_bytes())
        data[offset + at] ^= 1
        path.write_bytes(data)
    write_model(folder / "m.h5", MATMUL_NEG, {"w": RAMP})
    tpmodel("shard", folder / "m.h5", "-n", 3, "-o", folder / "set")
    flip(folder / "set/m1.h5", 100)
    refused_by(["verify", folder / "set"], 65, "m1.h5", "/weights/w", "sha256")
    refused_by(["merge", folder / "set", "-o", folder / "one.h5"], 65, "weight w", "sha256")
    refused_by(["reshard", folder / "set", "-n", 2, "-o", folder / "set2"], 65, "weight w")
    write_shards(folder / "c{}.h5", MATMUL_NEG, {"w": RAMP}, {"w": A_20}, 8)
    flip(folder / "c5.h5", 4 * (4 * 7 + 2))  # rank 5 holds a copy of columns 4:8
    refused_by(["verify", folder / "c.h5"], 65, "weight w", "c1.h5", "c5.h5", "(7,6)")
    os.unlink(folder / "c5.h5")
    contains(tpmodel("verify", folder / "c.h5").stdout, "c5.h5 (rank 5)", "the missing copy")
    os.unlink(folder / "c1.h5")
    for command in (["verify"], ["merge", "-o", folder / "one.h5"],
                    ["reshard", "-n", "2", "-o", folder / "set2"], ["diff", folder / "m.h5"]):
        refused_by([*command, folder / "c.h5"], 65, "[0:96,4:8]", "6 of 8 files", "c1.h5 (rank 1)",
                   "c5.h5 (rank 5)")
    expect(not (folder / "one.h5").exists() and not (folder / "set2").exists(), "nothing was made")
    no_leftovers(folder)


@check
def where_it_cannot_be_written(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": RAMP})
    (folder / "full").mkdir()
    (folder / "full/other").touch()
    (folder / "empty").mkdir()
    shard = ["shard", folder / "m.h5", "-n", "2", "-o"]
    refused_by([*shard, folder / "full"], 73, "not empty")
    refused_by([*shard, folder / "m.h5"], 73, "is there already")
    refused_by([*shard, folder / "no/such"], 73, "no/such")
    refused_by(["merge", folder / "m.h5", "-o", folder / "full"], 73, "a folder")
    refused_by(["shard", folder / "m.h5", "-n", "0", "-o", folder / "x"], 64, "--ranks")
    refused_by(["shard", folder / "none.h5", "-n", "2", "-o", folder / "x"], 66, "none.h5")
    tpmodel(*shard, folder / "empty")
    contains(tpmodel("verify", folder / "empty").stdout, "OK", "an empty folder was filled")
    os.rename(folder / "m.h5", folder / "100%.h5")
    refused_by(["shard", folder / "100%.h5", "-n", "2", "-o", folder / "x"], 64, "100%")
    limited = ["prlimit", f"--fsize={6000}"]
    result = run(["shard", folder / "empty", "-n", "2", "-o", folder / "x"], np=0,
                 program="tpmodel", prefix=limited)
    equal(result.status, 74, f"status on a full disk; {result.stderr}")
    expect(not (folder / "x").exists(), "half a checkpoint")
    no_leftovers(folder)


@check
def a_signal_leaves_nothing(folder):
    sparse_model(folder / "m.h5", 512)
    for number, args in ((signal.SIGTERM, ["shard", folder / "m.h5", "-n", 2, "-o", folder / "x"]),
                         (signal.SIGINT, ["merge", folder / "m.h5", "-o", folder / "x"])):
        process = start(args, np=0, program="tpmodel")
        deadline = time.monotonic() + 30
        while not list(folder.glob("x.tmp*")) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        process.send_signal(number)
        result = finish(process)
        equal(result.status, 75, f"status after signal {number}; {result.stderr}")
        contains(result.stderr, f"signal {int(number)}", "the line")
        equal([path.name for path in folder.iterdir()], ["m.h5"], "left behind")


@check
def kill_leaves_nothing_that_looks_whole(folder):
    sparse_model(folder / "m.h5", 512)
    process = start(["shard", folder / "m.h5", "-n", 2, "-o", folder / "x"], np=0,
                    program="tpmodel")
    deadline = time.monotonic() + 30
    while not list(folder.glob("x.tmp*/*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    finish(process)
    expect(not (folder / "x").exists(), "a folder under its final name")


def peak_of(args):
    """VmHWM of a run of tpmodel beyond that of `tpmodel --version`, in bytes."""
    code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
            "stdout=subprocess.DEVNULL); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    peaks = []
    for arguments in (["--version"], args):
        done = subprocess.run([sys.executable, "-c", code, str(BIN / "tpmodel"),
                               *map(str, arguments)], capture_output=True, text=True, timeout=250)
        equal(done.returncode, 0, f"status; {done.stderr}")
        peaks.append(int(done.stdout) * 1024)
    return peaks[1] - peaks[0]


@check
def a_model_larger_than_the_memory_used(folder):
    size = 4096 if os.environ.get("TPINFER_LONG") else 1024
    allowed = 256 if "ASAN_OPTIONS" in os.environ else 64  # a sanitizer keeps freed memory
    sparse_model(folder / "m.h5", size)
    for args in (["shard", folder / "m.h5", "-n", 4, "-o", folder / "s4"],
                 ["reshard", folder / "s4", "-n", 3, "-o", folder / "s3"],
                 ["verify", folder / "s3"], ["merge", folder / "s3", "-o", folder / "one.h5"]):
        peak = peak_of(args)
        print(f"{args[0]} of {size} MiB: {peak / 2**20:.1f} MiB above the start")
        expect(peak < allowed << 20, f"{args[0]} needs {peak} bytes for a model of {size} MiB")


main()
