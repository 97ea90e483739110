#!/usr/bin/python3
# ranks: 1 3 8
"""Inputs, outputs and command lines that cannot be: one line that says why, and the exit code,
however many ranks; nothing is left behind."""
import os
import shlex
import shutil
import subprocess

import numpy as np

from answers import STREAMED, filled, graph, node
from harness import *


def model(folder, weight=filled(0.5)):
    write_model(folder / "m.h5", STREAMED, {"w": weight})
    return ["--model", folder / "m.h5"]


@check
def inputs_that_are_no_arrays(folder):
    m = model(folder)
    x = np.ones((5, 96), np.float32)
    np.save(folder / "object.npy", np.array([{}, []], object), allow_pickle=True)
    np.save(folder / "fortran.npy", np.asfortranarray(np.tile(x, (2, 1))))
    np.save(folder / "x.npy", x)
    np.save(folder / "flat.npy", x.ravel())
    np.save(folder / "complex.npy", x.astype(np.complex64))
    (folder / "cut.npy").write_bytes((folder / "x.npy").read_bytes()[:1000])
    (folder / "text.npy").write_text("1 2 3\n" * 100)
    (folder / "empty.npy").touch()
    (folder / "a_folder").mkdir()
    os.mkfifo(folder / "fifo")
    for name, status, parts in (
            ("object.npy", 65, ["object"]), ("fortran.npy", 65, ["fortran_order", "(10,96)"]),
            ("flat.npy", 65, ["(480,)", "(batch,96)"]), ("complex.npy", 65, []),
            ("cut.npy", 65, []), ("text.npy", 65, []), ("empty.npy", 65, []),
            ("a_folder", 66, []), ("fifo", 66, []), ("none.npy", 66, ["No such file"])):
        refused(run([*m, "--input", f"x={folder}/{name}"]), status, name, *parts)
    refused(run([*m, "--input", f"z={folder}/x.npy"]), 65, "z", "x float32 (batch,96)")
    no_leftovers(folder)


@check
def numbers_that_are_not_finite(folder):
    x = np.ones((5, 96), np.float32)
    x[3, 7] = np.nan
    np.save(folder / "x.npy", x)
    m = model(folder)
    # What is found after a while comes behind the story; --quiet leaves only the failure.
    finite = ["--check-finite", "--quiet"]
    refused(run([*m, "--input", folder / "x.npy", *finite]), 65, "input x", "nan", "(5,96)", "295")
    result = run([*m, "--input", folder / "x.npy", "--print-head", "49"])
    equal(result.stdout.split()[-1], "nan", "without the option it is computed")
    bad = filled(0.5)
    bad[95, 15] = np.inf
    refused(run([*model(folder, bad), *finite]), 65, "weight w", "inf")
    write_model(folder / "log.h5", graph({"x": [4]}, "y", node("Log", "x", "y")))
    refused(run(["--model", folder / "log.h5", "-i", "zeros", *finite]), 65, "output y", "-inf")
    equal(run(["--model", folder / "log.h5", "-i", "ones", *finite]).status, 0, "finite")


@check
def outputs_that_cannot_be_created(folder):
    m = model(folder)
    refused(run([*m, "--output", folder / "no/such/y.npy"]), 73, "no/such/y.npy")
    (folder / "a.npy").mkdir()
    refused(run([*m, "--output", folder / "a.npy"]), 73, "a.npy")
    refused(run([*m, "--output", "/proc/y.npy"]), 73, "/proc/y.npy")
    refused(run([*m, "--output", folder / "m.h5"]), 64, "m.h5", "model")
    refused(run([*m, "--quiet", "--report", folder / "no/such/r.json", "--output", folder / "y.npy"]),
            73, "no/such/r.json")
    expect(not (folder / "y.npy").exists(), "the report is refused before anything is computed")
    (folder / "locked").mkdir(mode=0o555)
    prefix = []
    if os.geteuid() == 0:
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
        refused(run([*m, "--output", folder / "locked/y.npy"], prefix=prefix), 73, "Permission")
    no_leftovers(folder)


@check
def a_full_disk(folder):
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    (folder / "disk").mkdir()
    mount = f"mount -t tmpfs -o size=64k none {folder}/disk && echo older > {folder}/disk/y"
    if subprocess.run([*namespace, "sh", "-c", mount], capture_output=True).returncode != 0:
        raise Skipped("no file system can be mounted here")
    m = model(folder)
    np.save(folder / "x.npy", np.ones((2000, 96), np.float32))
    for name in ("y.npy", "y.npz", "y.h5", "y.json"):
        for more in ([], ["--batch-size", "700"]):
            after = (f'{mount}; mv {folder}/disk/y {folder}/disk/{name}; "$@"; code=$?; '
                     f"cd {folder}/disk; echo $(ls -A) $(cat {name}); exit $code")
            result = run([*m, "--input", folder / "x.npy", "--print-head", "0", "--quiet", *more,
                          "--output", folder / "disk" / name],
                         prefix=[*namespace, "sh", "-c", after, "sh"])
            refused(result, 74, name)
            equal(result.stdout, f"{name} older\n", "what is on the disk afterwards")


@check
def a_reader_that_goes_away(folder):
    m = model(folder)
    np.save(folder / "x.npy", np.ones((20000, 96), np.float32))
    arguments = [*m, "--input", folder / "x.npy", "--print-head", "320000", "--quiet"]
    for np_ in (NP, 0):
        line = shlex.join(command(arguments, np=np_)) + " | head -1"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60,
                              env=environment())
        equal(done.stdout, "tensor's name is:y data size is:1280000 tensor elements num is:320000\n",
              "the first line")
        equal(tpinfer_lines(done.stderr), [], "stderr")
        no_leftovers(folder)
    with open("/dev/full", "w") as full:
        refused(run(arguments, np=0, stdout=full), 74, "stdout")


@check
def options_that_do_not_exist(folder):
    m = model(folder)
    for wrong, parts in ((["--frobnicate"], ["--frobnicate"]), (["surplus"], ["surplus"]),
                         (["--batch-size", "0"], ["--batch-size"]), (["--repeat", "x"], ["x"]),
                         (["--threads", "-1"], ["--threads"]), (["--kernels", "gpu"], ["gpu"]),
                         (["--print-rank", "first"], ["first"]), (["--timeout", "-1"], ["-1"]),
                         (["--plan", "guess"], ["guess"]), (["--progress", "x"], ["--progress"]),
                         (["--check", "--input", "x=ones"], ["--check", "--input"]),
                         (["--repeat", "99999999999999999999"], ["--repeat"]),
                         (["--model"], ["--model"])):
        refused(run([*m, *wrong] if wrong != ["--model"] else wrong), 64, *parts)
    refused(run(m, env={"TPINFER_BATCH_SIZE": "many"}), 64, "many")
    no_leftovers(folder)


@check
def the_wrong_launcher(folder):
    """Started by another MPI's launcher, every process would do the whole job alone."""
    if shutil.which("mpiexec.hydra") is None:
        if os.environ.get("CI"):
            raise FileNotFoundError("mpiexec.hydra, of the package mpich")
        raise Skipped("no mpiexec.hydra; install mpich")
    ranks = max(NP, 2)
    result = run(model(folder), np=0, prefix=["mpiexec.hydra", "-n", str(ranks)])
    refused(result, 78, "launcher", str(ranks))
    equal(result.stdout, "", "stdout")
    no_leftovers(folder)


main()
