#!/usr/bin/python3
# ranks: 1 2 3 4 8
"""Ranks that throw, die, leave, hang or stop in every phase, as a table: the code, the line, the
time, an output that is old or right, and nothing left behind."""
import sys

from fault_runs import *
from harness import *

LAST = NP - 1
WORKERS = 4 if NP < 8 else 2
HUNG = LIMIT + 3 * START  # before MPI is up seconds are longer on a crowded machine


def case(name, status, fault, words=(), **more):
    return {"case": name, "status": status, "fault": fault, "words": words, **more}


@check
def exceptions(folder):
    rank = f"rank {LAST} on " if NP > 1 else ""
    cases = [
        case("19 load throws on one rank", 65, f"load:{LAST}:1:error",
             ("load weights: ", rank, "fault injected")),
        case("19 load throws on all ranks", 65, "load weights:*:1:error", ("load weights: ",)),
        case("22 exception in a step", 70, f"step:{LAST}:5:throw",
             (f"rank {LAST} on ", "run: fault injected")),
        case("22 no memory in a step", 71, f"step:{LAST}:5:oom", ("out of memory",)),
    ]
    side_by_side(folder, cases if NP < 8 or LONG else cases[1:3], WORKERS)


@check
def different_errors_on_three_ranks(folder):
    if NP != 3:
        raise Skipped("for three ranks")
    small = Run(folder)

    def each_its_own(arguments, env, **_):
        faults = ["load weights:0:1:error", "load weights:1:1:oom", "load weights:2:1:throw"]
        apps = [["-x", f"TPINFER_FAULT={fault}", "-n", "1", str(BIN / "tpinfer"),
                 *map(str, arguments)] for fault in faults]
        launcher = [*apps[0], ":", *apps[1], ":", "-x", f"TPINFER_FAULT={faults[2]}"]
        return run(arguments, np=1, env=env, launcher=["--oversubscribe", *launcher])
    small.disturbed("19 three ranks, three errors", 71, START,
                    words=("load weights: rank 1 on ", "out of memory (and 2 other ranks)"),
                    ends=each_its_own)


@check
def deaths(folder):
    sites = ["start", "init", "load", "collective", "step", "finalize"]
    if NP not in (1, 3):
        sites = ["step"]
    cases = [case(f"23 SIGKILL at {site}", 137, f"{site}:{LAST}:1:kill") for site in sites]
    cases.append(case("23 SIGKILL of rank 0 at write output", 137, "write output:0:3:kill"))
    cases += [case(f"24 {what} in a step", status, f"step:{LAST}:5:{action}")
              for what, action, status in (("SIGSEGV", "segv", 139), ("SIGABRT", "abort", 134),
                                           ("_exit(3)", "exit3", 3))
              if NP < 8 or LONG or action == "exit3"]
    # One process that leaves with 0 has no one to tell the launcher otherwise.
    cases.append(case("24 _exit(0) in a step", 0 if NP == 1 else 1, f"step:{LAST}:5:exit0"))
    if NP == 1:
        cases.pop()
    side_by_side(folder, cases, WORKERS)


@check
def hangs(folder):
    sites = {"step": "(run)", "load": "(load weights)", "start": "(start)", "init": "(start MPI)",
             "finalize": "(end MPI)"}
    if NP not in (1, 3):
        sites = {"step": "(run)"}
    cases = [case(f"25 hang at {site}", 75, f"{site}:{LAST}:1:hang",
                  (f"rank {LAST} on ", phase, "has not moved for 1.5 s"), within=HUNG)
             for site, phase in sites.items()]
    if NP > 1:
        cases.append(case("26 SIGSTOP in a step", 75, f"step:{LAST}:5:stop",
                          (f"rank {LAST} on ", "is stopped or cut off"), within=HUNG))
    side_by_side(folder, cases, WORKERS)


if NP in (2, 4) and not LONG:
    print("0 passed, 0 failed: two and four ranks are in the long form")
    sys.exit(77)
main(table)
