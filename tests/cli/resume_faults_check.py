#!/usr/bin/python3
# ranks: 2
"""Jobs with --resume that die at any place, or whose disk fails: what was saved stays usable, and
the resumed job's file is the undisturbed one's."""
import os
import random
import signal
import subprocess
import time

from harness import *
from jobs import *


def resumed_is_undisturbed(folder, arguments, want, content, name="y.npy", **options):
    got = run([*arguments, "--resume"], **options)
    same_run(got, want, resumed="tpinfer: resumed: " in got.stderr)
    expect((folder / name).read_bytes() == content, f"{name} is the undisturbed run's")
    equal(left_in(folder), [name], "files")
    return got


@check
def killed_at_every_step_of_saving_and_finishing(folder):
    want, content = undisturbed(folder, job(folder), "y.npy")
    out = job(folder, output=folder / "y.npy")
    for site, nth, done, files in (
            ("open output", 1, None, ["y.npy.part"]),
            ("save rows", 1, None, ["y.npy.part"]),
            ("progress written", 1, None, ["y.npy.part", "y.npy.progress.new"]),
            ("rows saved", 3, 8, ["y.npy.part", "y.npy.progress"]),
            ("progress written", 3, 8, ["y.npy.part", "y.npy.progress", "y.npy.progress.new"]),
            ("progress renamed", 3, 12, ["y.npy.part", "y.npy.progress"]),
            ("finish output", 1, ROWS, ["y.npy.part", "y.npy.progress"]),
            ("output finished", 1, ROWS, ["y.npy", "y.npy.progress"]),
            ("remove progress", 1, ROWS, ["y.npy", "y.npy.progress"])):
        killed(out, f"{site}:0:{nth}:kill")
        if done == ROWS:  # and once more, by a run that finds all rows done
            killed(out, f"{site}:0:{nth}:kill")
        what = f"killed at {site} {nth}"
        equal(left_in(folder), files, f"files when {what}")
        if done is not None:
            equal(done_in(folder / "y.npy"), done, f"rows done when {what}")
        got = resumed_is_undisturbed(folder, out, want, content)
        equal("resumed" in got.stderr, done is not None, f"resumed when {what}")
        (folder / "y.npy").unlink()


@check
def killed_while_finishing_other_formats(folder):
    for name in ("y.json", "y.npz") if LONG else ("y.json",):
        want, content = undisturbed(folder, job(folder, SEVERAL), name)
        out = job(folder, output=folder / name)
        for site in ("finish output", "output finished", "remove progress"):
            killed(out, f"{site}:0:1:kill")
            resumed_is_undisturbed(folder, out, want, content, name)
            (folder / name).unlink()


@check
def killed_at_any_time(folder):
    want, content = undisturbed(folder, job(folder), "y.npy")
    out = job(folder, batch=1, output=folder / "y.npy")
    seed = int(os.environ.get("TPINFER_SEED", "4"))
    chance = random.Random(seed)
    progress = folder / "y.npy.progress"
    deaths = resumed = 0
    for attempt in range(200 if LONG else 8):
        if (folder / "y.npy").exists():
            expect((folder / "y.npy").read_bytes() == content, "a file that is there is whole")
            (folder / "y.npy").unlink()
        before = done_in(folder / "y.npy") if progress.exists() else 0
        process = start([*out, "--resume", "--quiet"], env={
            "TPINFER_FAULT": "step:0:*:slow(20)"}, stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.3, 1.8))
        pids = rank_pids()
        if pids:
            os.kill(chance.choice(sorted(pids.values())), signal.SIGKILL)
        deaths += finish(process).status != 0
        if progress.exists():
            resumed += before > 0
            expect(done_in(folder / "y.npy") >= before, f"rows done after death {attempt}")
    if not (folder / "y.npy").exists():
        resumed_is_undisturbed(folder, out, want, content)
    expect(deaths > 3, f"seed {seed}: only {deaths} deaths")
    expect((folder / "y.npy").read_bytes() == content, "the file")


@check
def a_full_disk(folder):
    """A disk that takes the rows but not their number; then one that fills up in the middle."""
    disk = folder / "disk"
    disk.mkdir()
    arguments = job(folder, output=disk / "y.npy")
    want, content = undisturbed(folder, job(folder), "y.npy")
    for what in ("from the start", "in the middle"):
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk],
                          stderr=subprocess.DEVNULL).returncode:
            raise Skipped("no right to mount a small disk")
        try:
            if what == "from the start":
                (disk / "other").write_bytes(bytes(16384 - 4096))
                refused(run([*arguments, "--resume", "--quiet"]), 74, "y.npy")
                equal(sorted(os.listdir(disk)), ["other"], "files")
            else:
                killed(arguments)
                (disk / "other").write_bytes(bytes(8192))
                equal(os.statvfs(disk).f_bfree, 0, "free pages")
                refused(run([*arguments, "--resume", "--quiet"]), 74, "y.npy.progress")
                equal(sorted(os.listdir(disk)), ["other", "y.npy.part", "y.npy.progress"], "files")
                equal(done_in(disk / "y.npy"), 8, "rows done")
                (disk / "other").unlink()
                same_run(run([*arguments, "--resume"]), want)
                expect((disk / "y.npy").read_bytes() == content, "the file")
                equal(os.listdir(disk), ["y.npy"], "files")
        finally:
            subprocess.run(["umount", disk], check=True)


@check
def a_full_disk_for_the_structure(folder):
    """HDF5 makes its structure in a file of its own: no room for that is no fault of the progress."""
    disk = folder / "disk"
    disk.mkdir()
    arguments = job(folder, output=disk / "y.h5")
    want, content = undisturbed(folder, job(folder), "y.h5")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", disk],
                      stderr=subprocess.DEVNULL).returncode:
        raise Skipped("no right to mount a small disk")
    try:
        killed(arguments)
        (disk / "other").write_bytes(bytes(os.statvfs(disk).f_bfree * os.statvfs(disk).f_frsize))
        refused(run([*arguments, "--resume", "--quiet"]), 74, "y.h5")
        equal(done_in(disk / "y.h5"), 8, "rows done")
        (disk / "other").unlink()
        same_run(run([*arguments, "--resume"]), want)
        expect((disk / "y.h5").read_bytes() == content, "the file")
        equal(os.listdir(disk), ["y.h5"], "files")
    finally:
        subprocess.run(["umount", disk], check=True)


@check
def a_disk_that_fails(folder):
    """Each fsync fails once, in a run of its own: 74, and progress that the next run can use."""
    want, content = undisturbed(folder, job(folder, batch=10), "y.npy")
    out = job(folder, batch=10, output=folder / "y.npy")
    ends = []
    for nth in range(1, 40):
        result = run([*out, "--resume", "--quiet"], launcher=(
            "-x", f"LD_PRELOAD={FAIL_FSYNC}", "-x", f"FAIL_FSYNC={nth}"))
        ends.append(result.status)
        if result.status == 0:
            break
        refused(result, 74, "y.npy")
        resumed_is_undisturbed(folder, out, want, content)
        (folder / "y.npy").unlink()
    expect((folder / "y.npy").read_bytes() == content, "the file")
    expect(len(ends) > 8 and ends[-1] == 0, f"every fsync was met: {ends}")


@check
def what_is_said_to_be_kept_is_on_disk(folder):
    """Rows before their number, and each new name with its folder; else a crash of the host could
    leave progress that speaks of rows which are not there."""
    (folder / "out").mkdir()
    out = job(folder, batch=10, output=folder / "out/y.npy")
    saved = ["y.npy.progress.new", "out"]
    equal(synchronised([*out, "--resume", "--quiet"], folder / "log"),
          3 * ["y.npy.part", *saved] + saved + ["y.npy.part", "out", "out"],
          "three batches, the finishing, the output's own name, the end of progress")


main()
