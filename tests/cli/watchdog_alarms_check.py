#!/usr/bin/python3
# ranks: none
"""No false alarms of the watchdog: ranks that are slow at random places, but below its limit, on more
ranks than cores, and ranks that are stopped for less than the limit, finish with the right output.
The long form has 1,000 slow runs (TPINFER_SEEDS=first:count chooses others)."""
import concurrent.futures
import os
import random
import signal
import time

from fault_runs import *
from harness import *

FIRST, COUNT = (int(part) for part in os.environ.get(
    "TPINFER_SEEDS", "1:1000" if LONG else "1:4").split(":"))
WORKERS = 4
# A slow rank sleeps this long at one visit of a site: well below the limit of 1.5 s.
MILLISECONDS = (10, 50, 200, 800)


@check
def slow_runs(folder):
    for first in range(FIRST, FIRST + COUNT, 40):
        cases = []
        for seed in range(first, min(first + 40, FIRST + COUNT)):
            choice = random.Random(seed)
            slow = f"slow({choice.choice(MILLISECONDS)})"
            cases.append({"case": f"slow below the limit, {WORKERS} runs at once", "status": 0,
                          "np": choice.choice([2, 3, 4, 8]), "within": 120,
                          "fault": f"random:{seed}:{slow}", "lines": 0,
                          "batch": choice.choice([4, 12])})
        for case, result in zip(cases, side_by_side(folder, cases, WORKERS, repeats=1)):
            if result.status != 0:
                print(f"TPINFER_FAULT={case['fault']} on {case['np']} ranks", flush=True)


def stopped_and_continued(folder, number):
    """A run in which each rank in turn is stopped for half the limit."""
    small = Run(folder, batch=1)
    process = start(small.arguments, np=3,
                    env={"TPINFER_FAULT": "step:1:*:slow(100)"})
    wait_for(lambda: len(rank_pids()) == 3)
    time.sleep(random.Random(number).uniform(0.2, 0.7))
    for _, pid in sorted(rank_pids().items()):
        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(LIMIT / 2)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:  # it is done
            break
        time.sleep(0.2)
    small.judge("26 SIGSTOP of each rank below the limit", finish(process), 0, 60, ranks=3)


@check
def stopped_below_the_limit(folder):
    for number in range(REPEATS):
        own = folder / f"{number}"
        own.mkdir()
        stopped_and_continued(own, number)


@check
def all_stopped_beyond_the_limit(folder):
    """A suspended machine is nobody's fault."""
    small = Run(folder, batch=1)
    for _ in range(REPEATS):
        small.output.write_bytes(OLDER)
        process = start(small.arguments, np=3,
                        env={"TPINFER_FAULT": "step:1:*:slow(60)"})
        wait_for(lambda: len(rank_pids()) == 3)
        time.sleep(0.3)
        pids = list(rank_pids().values())
        for number, pause in ((signal.SIGSTOP, 2 * LIMIT), (signal.SIGCONT, 0)):
            for pid in pids:
                os.kill(pid, number)
            time.sleep(pause)
        small.judge("26 SIGSTOP of all ranks beyond the limit", finish(process), 0, 60, ranks=3)


main(table)
