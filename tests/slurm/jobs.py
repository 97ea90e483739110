"""What the checks of Slurm share: a model, its files, its expected output, its slow runs."""
import hashlib
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))

import cluster  # noqa: E402  (the folder of the harness comes first)

cluster.isolate()

import numpy as np  # noqa: E402

from answers import STREAMED, filled, hashes, sha256  # noqa: E402
from harness import *  # noqa: E402,F403

ROWS = 20
HASH = sha256(filled(-48, ROWS, 16))
SCRIPTS = SOURCE / "scripts/slurm"
# As docs/slurm.md says for several nodes; our job scripts set it by themselves.
SRUN = ("env", "SLURM_PMIX_FENCE=ring", "srun", "--mpi=pmix", "--kill-on-bad-exit=1")
TPINFER = str(BIN / "tpinfer")
LONG = os.environ.get("TPINFER_LONG_TESTS") == "1"
SLOW = {"TPINFER_FAULT": "step:1:*:slow(300)"}  # at least 300 ms for each row


def files(folder):
    """The model m.h5 and its input x.npy of ROWS rows."""
    write_model(folder / "m.h5", STREAMED, {"w": filled(0.5)})
    np.save(folder / "x.npy", np.ones((ROWS, 96), np.float32))
    return folder


def arguments(folder, output="y.npy", model="m.h5"):
    return ["--model", folder / model, "--input", folder / "x.npy", "--batch-size", "1",
            "--output", folder / output]


def submit(slurm, folder, script, *extra, options=(), env=None, output="y.npy"):
    """One of our job scripts on the files of the folder, whose log is job.log."""
    return slurm.sbatch("--output", folder / "job.log", *options, SCRIPTS / script,
                        folder / "m.h5", folder / "x.npy", folder / output, "--batch-size", "1",
                        *extra, env={"TPINFER": TPINFER, **(env or {})}, cwd=folder)


def log_of(folder):
    path = folder / "job.log"
    return path.read_text(errors="replace") if path.exists() else ""


def output_is_whole(path):
    equal(path.exists() and np.load(path).tobytes() == filled(-48, ROWS, 16).tobytes(), True,
          f"{path.name} has the bytes of an undisturbed run")


def wait_for_rows(slurm, job, seconds=30):
    """Waits until all ranks of a slow run are in the middle of their work."""
    slurm.wait(job, ("RUNNING",), seconds)
    ranks = int(slurm.job(job)["NumTasks"])
    deadline = time.monotonic() + seconds
    while len(step_pids()) < ranks and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.5)


def step_pids():
    """{rank: process id} of the ranks of all Slurm steps that run now."""
    result = {}
    for pid in our_processes():
        if read_proc(f"/proc/{pid}/comm").strip() == "tpinfer":
            for entry in read_proc(f"/proc/{pid}/environ").split("\0"):
                if entry.startswith("PMIX_RANK="):
                    result[int(entry.split("=")[1])] = pid
    return result


def only_in_the_long_form():
    if not LONG:
        raise Skipped("TPINFER_LONG_TESTS=1 runs it")


def file_hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def undisturbed(slurm, folder):
    """The hash of the output file of a run that nothing stops, on one rank."""
    files(folder)
    result = slurm.run(*SRUN, "-n", 1, TPINFER, *arguments(folder, output="whole.npy"))
    equal(hashes(result), {"y": HASH}, "the undisturbed run")
    return file_hash(folder / "whole.npy")


def went_on(folder, whole, what):
    """The second start took over rows of the first, and nothing but the output is left."""
    log = log_of(folder)
    if not (folder / "y.npy").exists():
        raise AssertionError(f"{what}: no output; the log:\n{log}")
    print(f"{what}: y.npy {file_hash(folder / 'y.npy')}\n  undisturbed: {whole}", flush=True)
    equal(file_hash(folder / "y.npy"), whole, f"{what}: the file of a resumed run")
    contains(log, "tpinfer: resumed: ", f"{what}: the log")
    contains(log, f"sha256 {HASH} equal on ", f"{what}: the log")
    left = sorted(p.name for p in folder.glob("y.npy*"))
    equal(left, ["y.npy"], f"{what}: files of the output")
