#!/usr/bin/python3
# ranks: none
"""What --resume refuses: another model, other inputs, damaged progress, options that do not fit. No
refusal changes a file, and none makes a wrong one."""
import hashlib
import json
import os
import signal
import time

import h5py
import numpy as np

from harness import *
from jobs import *

START_AGAIN = ("y.npy.progress", "y.npy.part", "to start again")


def unchanged_and_refused(folder, arguments, status, *parts, env=None):
    before = {path: path.read_bytes() for path in folder.glob("y*")}
    result = run([*arguments, "--resume"], env=env)
    refused(result, status, *parts)
    equal({path: path.read_bytes() for path in folder.glob("y*")}, before, f"files after {parts}")


@check
def another_model(folder):
    out = job(folder, output=folder / "y.npy")
    killed(out)
    time_of_it = os.stat(folder / "m.h5")
    write_model(folder / "m.h5", ONE, {"w": W + 1})
    unchanged_and_refused(folder, out, 65, "model", "8 of 23 rows", *START_AGAIN)
    os.utime(folder / "m.h5", ns=(0, time_of_it.st_mtime_ns))
    unchanged_and_refused(folder, out, 65, "model files (sizes, samples)", *START_AGAIN)
    write_model(folder / "m.h5", SEVERAL, {"w": W})
    unchanged_and_refused(folder, out, 65, "model", *START_AGAIN)
    renamed = graph({"x": ["batch", 96]}, "z", node("MatMul", "x w", "z"))
    write_model(folder / "m.h5", {"main": ONE, "other": renamed}, {"w": W})
    unchanged_and_refused(folder, out, 65, "model", *START_AGAIN)
    # The same content, written later: nothing in this file proves it.
    write_model(folder / "m.h5", ONE, {"w": W})
    os.utime(folder / "m.h5", ns=(0, time_of_it.st_mtime_ns + 10**9))
    unchanged_and_refused(folder, out, 65, "cp -p", *START_AGAIN)
    os.utime(folder / "m.h5", ns=(0, time_of_it.st_mtime_ns))
    equal(run([*out, "--resume"]).status, 0, "status of the same model with its own time")


@check
def another_second_file(folder):
    other, times = folder / "other.h5", 10**18
    write_model(other, ONE, {"w": W})
    os.utime(other, ns=(0, times))
    out = job(folder, output=folder / "y.npy")
    out = [*out[:2], "--model", other, "--graph", "1", *out[2:]]
    killed(out)
    write_model(other, ONE, {"w": W + 1})
    os.utime(other, ns=(0, times))
    unchanged_and_refused(folder, out, 65, "model", *START_AGAIN)


@check
def a_copied_model_with_hashes(folder):
    """The manifest proves a copy of any time, and finds what a sample of the bytes does not."""
    large = RANDOM.integers(-3, 4, (96, 8192)).astype(np.float32)
    hashes = {"w": hashlib.sha256(large.tobytes()).hexdigest()}
    out = job(folder, output=folder / "y.npy")

    def write(weight, time_ns):
        write_model(folder / "m.h5", ONE, {"w": weight})
        with h5py.File(folder / "m.h5", "r+") as file:
            file["manifest"] = json.dumps({"weights": hashes})
        os.utime(folder / "m.h5", ns=(0, time_ns))

    write(large, 10**18)
    want, content = undisturbed(folder, job(folder), "y.npy")
    killed(out)
    other = large.copy()
    other[48, 4096] += 1
    write(other, 2 * 10**18)
    unchanged_and_refused(folder, out, 65, "weight w has sha256", *START_AGAIN)
    write(large, 2 * 10**18)
    same_run(run([*out, "--resume"]), want)
    expect((folder / "y.npy").read_bytes() == content, "the file")


@check
def other_inputs(folder):
    out = job(folder, output=folder / "y.npy")
    killed(out)
    for what, x in (("input x", np.vstack([X[:7], X[7:8] + 1, X[8:]])),
                    ("there are 22 rows", X[:22]), ("there are 24 rows", np.vstack([X, X[:1]]))):
        np.save(folder / "x.npy", x)
        unchanged_and_refused(folder, out, 65, what, *START_AGAIN)
    unchanged_and_refused(folder, [*out, "--graph", "none"], 65, "none")
    # Rows that were not read yet may change: the file is that of an undisturbed run on them.
    np.save(folder / "x.npy", np.vstack([X[:8], -X[8:]]))
    want, content = undisturbed(folder, job(folder), "y.npy")
    same_run(run([*out, "--resume"]), want)
    expect((folder / "y.npy").read_bytes() == content, "the file")


@check
def not_finite_rows(folder):
    out = job(folder, output=folder / "y.npy")
    bad = X.copy()
    bad[2, 3] = np.nan
    np.save(folder / "x.npy", bad)
    killed(out)
    unchanged_and_refused(folder, [*out, "--check-finite"], 65, "--check-finite", "input x", "nan")


@check
def damaged_progress(folder):
    out = job(folder, output=folder / "y.npy")
    want, content = undisturbed(folder, job(folder), "y.npy")
    killed(out)
    progress = folder / "y.npy.progress"
    good = progress.read_text()
    found = json.loads(good)

    def changed(**values):
        return json.dumps({**found, **values})
    cases = [(good[:len(good) * k // 4], "damaged") for k in range(4)]
    cases += [(text, "damaged") for text in (
        "[]", "null", "\0" * 40, "\xff", changed(done=-1), changed(done=24), changed(done="8"),
        changed(done=8.5, total=1e99), changed(finishing=True), changed(facts=[]),
        '{"schema": 1, "schema": 1}', "[" * 5000)]
    cases += [(changed(schema=2), "schema is 2"), (changed(done=12), "output y"),
              (changed(done=4), "input x"), (changed(hashes={}), "input x"),
              (changed(total=99), "there are 23 rows"), (changed(facts={}), "release"),
              (changed(facts={**found["facts"], "release": "0.0.1, arithmetic 1"}), "0.0.1"),
              (changed(facts={**found["facts"], "outputs": "y float32 (23,17)"}), "(23,17)")]
    for text, part in cases if LONG else cases[::2] + cases[-4:]:
        progress.write_text(text, encoding="latin-1")
        unchanged_and_refused(folder, out, 65, part, *START_AGAIN)
    progress.unlink()
    progress.mkdir()
    refused(run([*out, "--resume"]), 66, "y.npy.progress", "folder")
    progress.rmdir()
    progress.write_text(good)
    same_run(run([*out, "--resume"]), want)
    expect((folder / "y.npy").read_bytes() == content, "the file")


@check
def damaged_rows(folder):
    out = job(folder, output=folder / "y.npy")
    want, content = undisturbed(folder, job(folder), "y.npy")
    killed(out)
    part = folder / "y.npy.part"
    good = part.read_bytes()
    flipped = bytearray(good)
    flipped[128 + 8 * 64 - 1] ^= 1
    for data, what in ((bytes(flipped), "output y"), (good[:128 + 7 * 64], "shorter"),
                       (good[:64], "shorter"), (good[:9] + b"x" + good[10:], "structure")):
        part.write_bytes(data)
        unchanged_and_refused(folder, out, 65, what, *START_AGAIN)
    part.unlink()
    unchanged_and_refused(folder, out, 65, "y.npy.part is missing", "to start again")
    # Rows that were not done do not matter, nor what stands behind the last one.
    part.write_bytes(good[:128 + 8 * 64] + b"\xaa" * (15 * 64 + 5000))
    same_run(run([*out, "--resume"]), want)
    expect((folder / "y.npy").read_bytes() == content, "the file")


@check
def files_of_others(folder):
    out = job(folder, output=folder / "y.npy")
    with open(folder / "y.npy.part", "wb") as file:
        np.save(file, X)
    refused(run([*out[:2], "--input", folder / "y.npy.part", *out[4:], "--resume"]), 64,
            "y.npy.part", "also an input")
    (folder / "y.npy.part").unlink()
    (folder / "y.npy.part").symlink_to(folder / "x.npy")
    refused(run([*out, "--resume"]), 64, "y.npy.part", "also an input")
    (folder / "y.npy.part").unlink()
    (folder / "other").write_text("other")
    (folder / "y.npy.part").symlink_to(folder / "other")
    refused(run([*out, "--resume"]), 73, "y.npy.part")
    (folder / "y.npy.part").unlink()
    (folder / "y.npy.part").mkdir()
    refused(run([*out, "--resume"]), 73, "y.npy.part")
    equal((folder / "other").read_text(), "other", "the file behind the link")
    (folder / "y.npy.part").rmdir()
    (folder / "y.npy.part").write_bytes(b"no progress speaks of it" * 100)
    want, content = undisturbed(folder, out[:-2], "y.npy")
    same_run(run([*out, "--resume"]), want, resumed=False)
    expect((folder / "y.npy").read_bytes() == content, "the file")
    (folder / "y.npy").unlink()
    (folder / "far").mkdir()
    (folder / "y.npy").symlink_to("far/real.npy")
    killed(out)
    equal(sorted(os.listdir(folder / "far")), ["real.npy.part", "real.npy.progress"], "kept")
    equal(run([*out, "--resume"]).status, 0, "the output behind a link that led nowhere yet")
    expect((folder / "y.npy").is_symlink(), "the link")
    equal(os.listdir(folder / "far"), ["real.npy"], "behind the link")
    np.save(folder / "x.npy", X)
    refused(run([*job(folder, output=folder / "none/y.npy"), "--resume"]), 73, "none/y.npy")


@check
def two_runs_at_once(folder):
    out = job(folder, batch=1, output=folder / "y.npy")
    first = start([*out, "--resume", "--quiet"], env={"TPINFER_FAULT": "step:0:*:slow(100)"})
    deadline = time.monotonic() + 20
    while not (folder / "y.npy.progress").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    refused(run([*out, "--resume"]), 73, "y.npy.part", "another run")
    first.send_signal(signal.SIGUSR1)
    equal(finish(first).status, 75, "the first run")


@check
def without_resume_it_is_mentioned(folder):
    out = job(folder, output=folder / "y.npy")
    want, content = undisturbed(folder, job(folder), "y.npy")
    killed(out)
    for more in ([], ["--dry-run"], ["--dry-run", "--resume"]):
        result = run([*out, *more])
        equal(result.status, 0, result.stderr)
        contains(result.stderr, "8 of 23 rows of an interrupted run are kept; --resume", "a note")
        equal(left_in(folder)[-2:], ["y.npy.part", "y.npy.progress"], "files")
    expect((folder / "y.npy").read_bytes() == content, "the file")
    (folder / "y.npy.progress").write_text("{")
    contains(run(out).stderr, "cannot be read", "a note")


@check
def a_run_without_batches(folder):
    """All rows at once: nothing is kept before all are done, and inputs without a batch."""
    write_model(folder / "m.h5", graph({"x": [23, 96]}, "y", node("MatMul", "x w", "y")), {"w": W})
    np.save(folder / "x.npy", X)
    arguments = ["--model", folder / "m.h5", "--input", folder / "x.npy"]
    want, content = undisturbed(folder, arguments, "y.npy")
    out = [*arguments, "--output", folder / "y.npy"]
    for site in ("write output", "finish output", "output finished"):
        killed(out, f"{site}:0:1:kill")
        same_run(run([*out, "--resume"]), want, resumed=site != "write output")
        expect((folder / "y.npy").read_bytes() == content, "the file")
        equal(left_in(folder), ["y.npy"], "files")


@check
def options_that_do_not_fit(folder):
    out = job(folder, output=folder / "y.npy")
    alone = job(folder)
    for arguments, part in (([*alone, "--resume"], "--output"),
                            ([*out, "--resume", "--repeat", "2"], "--repeat"),
                            ([*out, "--resume", "--fast"], "--fast"),
                            ([*alone, "--resume", "--output", "y{rank}.npy"], "{rank}"),
                            ([*alone[:2], "--resume", "--check"], "--check"),
                            ([*out, "--stop-after", "5m"], "--resume"),
                            ([*out, "--resume", "--save-every", "-1"], "--save-every")):
        refused(run(arguments), 64, part)
    for text in ("", "90", "5 m", "m", "1:2", "-5m", "1e9s", "auto-", "auto+5m", "soon", "5m3h",
                 "UNLIMITED", "9" * 300 + "s"):
        if text:
            refused(run([*out, "--resume", "--stop-after", text], np=1), 64, "--stop-after",
                    "duration")
    for end in (None, "", "soon", "0"):
        refused(run([*out, "--resume", "--stop-after", "auto"],
                    env={"SLURM_JOB_END_TIME": end}), 78, "SLURM_JOB_END_TIME", "squeue")
    equal(left_in(folder), [], "files")


main()
