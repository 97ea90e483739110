#!/usr/bin/python3
# ranks: 1 3
"""Outputs that cannot be written: a disk that is full or fails at each call in turn, a process that
dies there, limits on file sizes, a stdout that nobody reads. 73 or 74, and an older output is
whole."""
import pathlib
import subprocess
import sys

from fault_runs import *
from harness import *

OUTPUTS = ("y.npy", "y.h5", "y.npz", "y.json") if LONG else ("y.npy", "y.h5")
WORKERS = 8  # a run that failed waits for its launcher
# Between the two calls that name the finished file and put it in an older one's place.
NAMED = r"y\.npy\.tmp\.\d+\.\d+"


def needs_the_library():
    if not pathlib.Path(FAIL_LIBRARY).exists():
        raise Skipped(f"no {FAIL_LIBRARY}")
    if b"__asan_init" in (BIN / "tpinfer").read_bytes():
        raise Skipped("the sanitizer has allocation functions of its own")


def at_each_call(folder, output, how, status):
    """One run per call that makes, fills, syncs or names the output, until a run has no more. The
    regular form takes every third call."""
    step = 1 if LONG else 3
    logs, results = [], []
    for first in range(1, 100, 8 * step):
        cases = []
        for nth in range(first, first + 8 * step, step):
            logs.append(folder / f"log.{output}.{how}.{nth}")
            cases.append({"case": f"34 {how} at each call for {output}", "status": status,
                          "output": output, "may_leave": NAMED if how == "kill" else None, "env": {
                              "LD_PRELOAD": FAIL_LIBRARY, "FAIL_CALL": f"output:{nth}:{how}",
                              "FAIL_BELOW": folder / "", "FAIL_LOG": logs[-1]}})
        results += side_by_side(folder, cases, WORKERS, repeats=1)
        if not logs[-1].exists():
            break
    fired = [log.exists() for log in logs]
    expect(fired[0] and not fired[-1], f"{output} {how}: calls from the first to beyond the last")
    for log, result in zip(logs, results):
        expect(log.exists() or result.status == 0, f"{output} {how}: {result}")


@check
def errors_at_each_call(folder):
    needs_the_library()
    for output in OUTPUTS:
        # 0: what can be done without, such as reserving the space.
        at_each_call(folder, output, "ENOSPC", (0, 73, 74))
        if LONG or output == "y.npy":
            at_each_call(folder, output, "EIO", (0, 73, 74))


@check
def death_at_each_call(folder):
    needs_the_library()
    at_each_call(folder, "y.npy", "kill", (0, 137))


@check
def a_full_disk(folder):
    small = Run(folder)
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tpinfer", disk],
                             capture_output=True)
    if mounted.returncode != 0:
        raise Skipped("tmpfs cannot be mounted here")
    try:
        for output in ("y.npy", "y.h5", "y.npz", "y.json"):
            (disk / output).write_bytes(OLDER)
            (disk / "filler").write_bytes(b"f" * (4096 * 3))
            started = small.arguments[:]
            started[started.index(small.output)] = disk / output
            result = run(started)
            refused(result, 74, disk / output)
            equal((disk / output).read_bytes(), OLDER, f"{output}: the older output")
            equal(sorted(p.name for p in disk.iterdir()), ["filler", output], "files")
            note(f"34 full disk, {output}", result)
            (disk / output).unlink()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@check
def stdout_that_nobody_reads(folder):
    small = Run(folder)
    tail = ["--print-head", "1000", "--print-rank", "all"]
    line = " ".join(f"'{part}'" for part in command([*small.arguments, *tail]))
    for case, shell, status in (
            ("35 | head -1", f"{line} | head -1; exit ${{PIPESTATUS[0]}}", (0, 74)),
            # 141: mpirun itself, at its start
            ("35 | true", f"{line} | true; exit ${{PIPESTATUS[0]}}", (0, 74, 141)),
            ("35 stdout closed", f"{line} >&-", (0, 74)),
            ("35 stdout full", f"{line} > /dev/full", (0, 74))):
        small.disturbed(case, status, START, ends=lambda _, env, shell=shell: shell_run(shell))


def shell_run(line):
    return finish(subprocess.Popen(["bash", "-c", line], env=environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL))


@check
def the_program_s_own_stdout(folder):
    """Without a launcher, which reads the pipe itself."""
    if NP != 1:
        raise Skipped("without a launcher")
    small = Run(folder)
    line = " ".join(f"'{part}'" for part in command(small.arguments, np=0))
    for case, shell, status in (("35 full stdout, no launcher", f"{line} > /dev/full", 74),
                                ("35 closed stdout, no launcher", f"{line} >&-", 74),
                                ("35 | true, no launcher",
                                 f"{line} | true; exit ${{PIPESTATUS[0]}}", (0, 74))):
        small.disturbed(case, status, START, ends=lambda _, env, shell=shell: shell_run(shell))


if NP > 1 and not LONG:
    print("0 passed, 0 failed: more ranks, of which one writes, are in the long form")
    sys.exit(77)
main(table)
