#!/usr/bin/python3
# ranks: 1 2 3 8
"""Runs that end and go on (--resume): the final file is an undisturbed run's, byte for byte,
whatever the ranks, the batches and the way in which they ended."""
import os
import signal
import time

import numpy as np

from answers import graph, hashes, node
from harness import *
from jobs import *

# Other numbers of ranks to go on with; all pairs of 1 2 3 5 8 in the long form.
OTHERS = (1, 2, 3, 5, 8) if LONG else (3 if NP == 1 else 1,)


@check
def killed_and_resumed_in_every_format(folder):
    names = ("y.npy", "y.npz", "y.h5", "y.json")
    for name in names if LONG or NP == 2 else names[NP % 2::2]:
        (folder / "m.h5").unlink(missing_ok=True)
        arguments = [*job(folder, ONE if name == "y.npy" else SEVERAL), "--labels",
                     folder / "labels.npy"]
        want, content = undisturbed(folder, arguments, name)
        out = [*arguments, "--output", folder / name]
        killed(out)
        equal(left_in(folder), [f"{name}.part", f"{name}.progress"], "files of the killed run")
        equal(done_in(folder / name), 8, "rows done")
        same_run(run([*out, "--resume"]), want)
        expect((folder / name).read_bytes() == content, f"{name} is the undisturbed run's")
        equal(left_in(folder), [name], "files")
        (folder / name).unlink()


@check
def on_other_ranks_and_batches(folder):
    out = job(folder, output=folder / "y.npy")
    want, content = undisturbed(folder, job(folder), "y.npy")
    print("undisturbed", hashes(want)["y"])
    for other in OTHERS:
        for batch in (1, 5, None) if LONG else (None if NP == 3 else 5,):
            killed(out)
            got = run([*job(folder, batch=batch, output=folder / "y.npy"), "--resume", "--threads",
                       "2", "--kernels", "blas"], np=other)
            same_run(got, want)
            print(f"{NP} ranks, then {other}", hashes(got)["y"])
            expect((folder / "y.npy").read_bytes() == content, "the file")
            equal(left_in(folder), ["y.npy"], "files")
            (folder / "y.npy").unlink()


@check
def killed_twice_with_an_input_that_has_no_rows(folder):
    if NP in (1, 8):
        raise Skipped("2 and 3 ranks say it")
    model = graph({"x": ["batch", 96], "b": [1, 16]}, "y", node("MatMul", "x w", "p"),
                  node("Add", "p b", "y"))
    np.save(folder / "b.npy", np.arange(16, dtype=np.float32).reshape(1, 16))
    arguments = job(folder, model)
    arguments[2:4] = ["--input", f"x={folder / 'x.npy'}", "--input", f"b={folder / 'b.npy'}"]
    want, content = undisturbed(folder, arguments, "y.npy")
    for done in (8, 16):
        killed([*arguments, "--output", folder / "y.npy"])
        equal(done_in(folder / "y.npy"), done, "rows done")
    same_run(run([*arguments, "--output", folder / "y.npy", "--resume"]), want)
    expect((folder / "y.npy").read_bytes() == content, "the file")


def drained(folder, end, **options):
    """A slow job that end(process) ends in its middle."""
    progress = folder / "y.npy.progress"
    before = progress.read_bytes() if progress.exists() else b""
    process = start([*job(folder, batch=1, output=folder / "y.npy"), "--resume", "--quiet"],
                    env={"TPINFER_FAULT": "step:0:*:slow(250)", **options})
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (
            not progress.exists() or progress.read_bytes() == before):
        time.sleep(0.02)
    end(process)
    return finish(process)


@check
def drained_by_signals(folder):
    want, content = undisturbed(folder, job(folder), "y.npy")
    result = drained(folder, lambda process: process.send_signal(signal.SIGUSR1))
    before = done_in(folder / "y.npy")
    refused(result, 75, f"ended by signal 10 after {before} of {ROWS} rows", "y.npy.part",
            "--resume")
    # Of SIGTERM the ranks hear after the grace time.
    result = drained(folder, lambda process: process.send_signal(signal.SIGTERM),
                     OMPI_MCA_odls_base_sigkill_timeout=2)
    equal(result.status, 1, "Open MPI's mpirun after SIGTERM")
    expect(before < done_in(folder / "y.npy") < ROWS, "rows done after SIGTERM")
    result = drained(folder, lambda process: os.kill(rank_pids()[NP - 1], signal.SIGINT))
    refused(result, 75, "ended by signal 2", f"of {ROWS} rows")
    same_run(run([*job(folder, output=folder / "y.npy"), "--resume"]), want)
    expect((folder / "y.npy").read_bytes() == content, "the file")
    equal(left_in(folder), ["y.npy"], "files")


@check
def stopped_by_the_time(folder):
    if NP in (1, 8):
        raise Skipped("2 and 3 ranks say it")
    want, content = undisturbed(folder, job(folder), "y.npy")
    slow = {"TPINFER_FAULT": "step:0:*:slow(100)", "SLURM_JOB_END_TIME": int(time.time()) + 6}
    job_alone = [*job(folder, batch=1, output=folder / "y.npy"), "--resume"]
    arguments = [*job_alone, "--quiet", "--stop-after"]
    result = run([*arguments, "2.5s"], env=slow)
    refused(result, 75, "ended by --stop-after 2.5s after", f"of {ROWS} rows", "--resume")
    expect(1.5 < result.seconds < 6, f"{result.seconds:.1f} s")
    before = done_in(folder / "y.npy")
    expect(0 < before < ROWS, f"{before} rows done")
    refused(run([*arguments, "auto"], env=slow), 75, "ended by --stop-after auto after", "--resume")
    equal(done_in(folder / "y.npy"), before, "rows done: the job ends in less than 30 s")
    slow["SLURM_JOB_END_TIME"] = int(time.time()) + 4
    result = run([*arguments, "auto-2s"], env=slow)
    refused(result, 75, "ended by --stop-after auto-2s after", "--resume")
    expect(result.seconds < 4, f"{result.seconds:.1f} s")
    slow["SLURM_JOB_END_TIME"] = 10 ** 12
    for never in ("auto", "999999d"):
        result = run([*arguments, never], env=slow | {"TPINFER_FAULT": "step:0:2:kill"})
        expect(result.status in (137, 9), f"--stop-after {never}: {result.status} {result.stderr}")
    same_run(run([*job_alone, "--stop-after", "0:30:00"]), want)
    expect((folder / "y.npy").read_bytes() == content, "the file")


@check
def ten_thousand_images(folder):
    arguments = ["--model", SOURCE / "examples/fashion_mnist.h5", "--input",
                 fashion_mnist("t10k-images-idx3-ubyte.gz"), "--labels",
                 fashion_mnist("t10k-labels-idx1-ubyte.gz"), "--check-finite"]
    want, content = undisturbed(folder, arguments, "y.npy")
    out = [*arguments, "--output", folder / "y.npy", "--save-every", "0", "--batch-size"]
    killed([*out, "1000"], "write output:0:4:kill")
    equal(done_in(folder / "y.npy"), 3000, "rows done")
    killed([*out, "999"], "rows saved:0:3:kill", np=OTHERS[0])
    equal(done_in(folder / "y.npy"), 3000 + 2 * 999, "rows done")
    same_run(run([*out, "2000", "--resume"]), want)
    expect((folder / "y.npy").read_bytes() == content, "the file")
    equal(left_in(folder), ["y.npy"], "files")
    print(f"undisturbed {hashes(want)}")


main()
