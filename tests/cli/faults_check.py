#!/usr/bin/python3
# ranks: 3
# serial
"""Ranks that die, hang, stop, throw or are slow, in every phase, and signals to the launcher: the
run ends soon, says one thing, leaves an older output alone and nothing behind."""
import concurrent.futures
import os
import re
import signal
import time

import numpy as np

from answers import STREAMED, filled, hashes, sha256
from harness import *

LIMIT = 2
ROWS = 20
LONG = os.environ.get("TPINFER_LONG_TESTS") == "1"
# The others are like cases of fault_cases_check.py and fault_sites_check.py.
SHORT = ("step:0:7:hang", "write output:0:3:hang", "open model:1:1:hang", "read input:0:3:throw",
         "write output:0:5:error", "step:*:4:oom")
WANT = {"y": sha256(filled(-48, ROWS, 16))}


def files(folder):
    write_model(folder / "m.h5", STREAMED, {"w": filled(0.5)})
    np.save(folder / "x.npy", np.ones((ROWS, 96), np.float32))
    (folder / "y.npy").write_text("older")
    return ["--model", folder / "m.h5", "--input", folder / "x.npy", "--batch-size", "1",
            "--output", folder / "y.npy", "--quiet", "--timeout", LIMIT]


def older_output_is_there(folder):
    equal((folder / "y.npy").read_text(errors="replace"), "older", "the older output")
    equal(sorted(p.name for p in folder.iterdir()), ["m.h5", "x.npy", "y.npy"], "files")
    no_leftovers(folder)


def faulty(folder, faults, within):
    """Runs with these faults, three at a time, for they mostly wait: their results."""
    def one(fault):
        own = folder / re.sub(r"\W", "_", fault)
        own.mkdir()
        return own, run(files(own), env={"TPINFER_FAULT": fault})
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(one, faults))
    for fault, (own, result) in zip(faults, ended):
        expect(result.seconds < within, f"{fault}: {result.seconds:.1f} s")
        expect(len(tpinfer_lines(result.stderr)) <= 1 or fault.startswith("step:*"),
               f"{fault}: {result.stderr}")
        older_output_is_there(own)
    return [result for _, result in ended]


@check
def a_rank_that_dies(folder):
    sites = ("start", "open model", "load", "step") if LONG else ("open model",)
    faults = [f"{site}:{rank}:1:kill" for site in sites for rank in (0, 2)]
    faults += ["write output:0:1:kill"]
    for fault, result in zip(faults, faulty(folder, faults, 8)):
        equal(result.status, 137, f"status after {fault}")
    faults = ["step:0:1:segv", "step:2:1:segv"] if LONG else ["step:0:1:segv"]
    for fault, result in zip(faults, faulty(folder, faults, 8)):
        equal(result.status, 139, f"status after {fault}")


@check
def a_rank_that_leaves_without_a_word(folder):
    faults = ["load:1:1:exit0", "step:1:1:exit0"]
    for fault, result in zip(faults, faulty(folder, faults, LIMIT + 8)):
        expect(result.status != 0, f"status {result.status} after {fault}")


@check
def a_rank_that_hangs_or_stops(folder):
    words = {"load:2:1:hang": ("rank 2", "load weights", "has not moved for 2 s"),
             "step:0:7:hang": ("rank 0", "(run)", "has not moved for 2 s"),
             "write output:0:3:hang": ("rank 0", "write output", "2 s"),
             "step:1:7:stop": ("rank 1", "is stopped or cut off"),
             "open model:1:1:hang": ("rank 1", "open model", "2 s")}
    if not LONG:
        words = {fault: words[fault] for fault in SHORT if fault in words}
    for parts, result in zip(words.values(), faulty(folder, list(words), LIMIT + 8)):
        refused(result, 75, *parts, "--timeout")
        expect(LIMIT <= result.seconds, f"{parts}: after {result.seconds:.1f} s")


@check
def errors_on_one_rank_and_on_all(folder):
    ends = {"load weights:1:1:error": (65, "load weights", "rank 1", "fault injected"),
            "load weights:*:1:error": (65, "load weights", "fault injected"),
            "read input:0:3:throw": (70, "read input", "rank 0"),
            "write output:0:5:error": (65, "write output", "rank 0"),
            "open output:2:1:oom": (71, "open output", "rank 2", "memory"),
            "step:2:4:throw": (70, "rank 2", "run", "fault injected"),
            "step:*:4:oom": (71, "memory")}
    if not LONG:
        ends = {fault: ends[fault] for fault in SHORT if fault in ends}
    results = faulty(folder, list(ends), 8)
    for (fault, (status, *parts)), result in zip(ends.items(), results):
        equal(result.status, status, f"status after {fault}")
        lines = tpinfer_lines(result.stderr)
        expect(lines, f"{fault}: no line")
        for part in parts:
            contains(lines[0] if lines else "", part, f"line after {fault}")


@check
def a_slow_rank_is_no_fault(folder):
    for fault in ("step:1:*:slow(150)", "load:2:1:slow(1500)", "write output:0:4:slow(1500)"):
        result = run([a for a in files(folder) if a != "--quiet"], env={"TPINFER_FAULT": fault})
        equal(hashes(result), WANT, f"hash after {fault}")
        expect(result.seconds > 1.5, f"{fault} was there: {result.seconds:.1f} s")
        equal(np.load(folder / "y.npy").tobytes(), filled(-48, ROWS, 16).tobytes(), "output")
        # Said once, and only of a rank that is slow at computing.
        equal(result.stderr.count("warning: rank 1 on "), fault.startswith("step"), "warning")
        equal(result.stderr.count("warning: "), fault.startswith("step"), "warnings")
        no_leftovers(folder)


def disturbed(folder, disturb, seconds=0.3):
    """A slow run in its middle, on which disturb(process, {rank: pid}) is called."""
    log = folder / "log"  # of steps begun
    process = start(files(folder), env={"TPINFER_FAULT": "step:1:*:slow(150)",
                                        "TPINFER_FAULT_LOG": log})
    deadline = time.monotonic() + 20
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(seconds)
    disturbed_at = time.monotonic()
    disturb(process, rank_pids())
    result = finish(process, timeout=30)
    log.unlink(missing_ok=True)
    return result, time.monotonic() - disturbed_at


@check
def signals_to_the_launcher(folder):
    result, seconds = disturbed(folder, lambda process, _: process.send_signal(signal.SIGUSR1))
    refused(result, 75, f"signal {int(signal.SIGUSR1)}", f"of {ROWS} rows", "no output")
    expect(seconds < 5, f"SIGUSR1: {seconds:.1f} s")
    older_output_is_there(folder)
    for number in (signal.SIGTERM, signal.SIGINT) if LONG else (signal.SIGINT,):
        result, seconds = disturbed(folder, lambda process, _: process.send_signal(number))
        expect(result.status != 0, f"status {result.status} after {number!r}")
        expect(len(tpinfer_lines(result.stderr)) <= 1, f"{number!r}: {result.stderr}")
        expect(seconds < 8, f"{number!r}: {seconds:.1f} s")
        older_output_is_there(folder)


@check
def a_second_signal_to_the_launcher(folder):
    def twice(process, _):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
    result, seconds = disturbed(folder, twice)
    expect(result.status != 0, f"status {result.status}")
    expect(seconds < 3, f"two SIGTERM: {seconds:.1f} s")
    older_output_is_there(folder)


@check
def a_signal_to_one_rank(folder):
    for number in (signal.SIGTERM, signal.SIGUSR1) if LONG else (signal.SIGTERM,):
        result, seconds = disturbed(folder, lambda _, pids: os.kill(pids[2], number))
        refused(result, 75, f"signal {int(number)}", "no output")
        older_output_is_there(folder)


@check
def the_launcher_killed(folder):
    _, seconds = disturbed(folder, lambda process, _: process.kill())
    expect(seconds < 3, f"{seconds:.1f} s until the last rank closed its pipe")
    older_output_is_there(folder)
    equal(run(files(folder)).status, 0, "the next run")
    equal(np.load(folder / "y.npy").tobytes(), filled(-48, ROWS, 16).tobytes(), "its output")


@check
def a_rank_killed_from_outside(folder):
    result, seconds = disturbed(folder, lambda _, pids: os.kill(pids[1], signal.SIGKILL))
    equal(result.status, 137, "status")
    expect(seconds < 5, f"gone after {seconds:.1f} s")
    older_output_is_there(folder)


@check
def a_rank_stopped_from_outside_and_continued(folder):
    def pause(_, pids):
        os.kill(pids[1], signal.SIGSTOP)
        time.sleep(1)
        os.kill(pids[1], signal.SIGCONT)
    result, _ = disturbed(folder, pause)
    equal(result.status, 0, f"status; {result.stderr}")
    equal(np.load(folder / "y.npy").tobytes(), filled(-48, ROWS, 16).tobytes(), "output")
    result, seconds = disturbed(folder, lambda _, pids: os.kill(pids[1], signal.SIGSTOP))
    refused(result, 75, "rank 1", "is stopped or cut off")
    expect(seconds < LIMIT + 6, f"{seconds:.1f} s")


main()
