#!/usr/bin/python3
# ranks: 1 3
"""Memory that runs out at any allocation of any rank: 71 or success, in time, and never a wrong
output. Allocations are counted by tests/profiling/fail_calls.cpp."""
import os
import pathlib
import sys

from answers import graph, node
from fault_runs import *
from harness import *

# Of libraries in C: what Open MPI, HDF5 and the C library make of it.
THEIRS = (0, 1, 70, 71, 75, 134, 139, 255)  # 70: MPI calls it an internal error
WORKERS = 4


def needs_the_library():
    if not pathlib.Path(FAIL_LIBRARY).exists():
        raise Skipped(f"no {FAIL_LIBRARY}")
    if b"__asan_init" in (BIN / "tpinfer").read_bytes():
        raise Skipped("the sanitizer has allocation functions of its own")


def growing(most):
    """1, 2, 3, ... with growing steps."""
    step = 1.1 if LONG else 12
    value = 1
    while value < most:
        yield value
        value = max(value + 1, int(value * step))


def failing(folder, kind, most, ranks, how, status):
    logs = []
    cases = []
    for rank in ranks:
        for nth in growing(most):
            logs.append(folder / f"log.{rank}.{nth}")
            cases.append({"case": f"20 {kind} fails{' from' if '+' in how else ' at'} the Nth call "
                                  f"on rank {rank}",
                          "status": status, "lines": 2, "env": {
                              "LD_PRELOAD": FAIL_LIBRARY, "FAIL_CALL": f"{kind}:{nth}{how}",
                              "FAIL_RANK": rank, "FAIL_LOG": logs[-1]}})
    results = side_by_side(folder, cases, WORKERS, repeats=1)
    fired = [log.exists() for log in logs]
    for name, result, hit in zip(cases, results, fired):
        env = name["env"]
        if kind == "new":  # whoever meets it says so; without it nothing is wrong
            expect(result.status == 0 or hit, f"{env}: {result.status} {result.stderr}")
            expect(result.status == 0 or "memory" in result.stderr, f"{env}: {result.stderr}")
    expect(any(fired) and not all(fired[-1:]), f"{kind}: calls from the first to beyond the last")


@check
def our_own_allocations(folder):
    needs_the_library()
    failing(folder, "new", 2e5, {0, NP - 1}, ":null", (0, 71))


@check
def all_memory_gone_from_some_point_on(folder):
    needs_the_library()
    failing(folder, "new", 2e5, {NP - 1}, "+:null", (0, 71))


@check
def allocations_of_all_libraries(folder):
    needs_the_library()
    failing(folder, "malloc", 1e6, {NP - 1}, ":null", THEIRS)


@check
def a_small_address_space(folder):
    small = Run(folder)
    limits = [40, 60, 80, 100, 110, 120, 150, 200, 500] if LONG else [60, 100]
    for mebibytes in limits:
        prefix = ["bash", "-c", f'ulimit -v {mebibytes * 1024}; exec "$@"', "-"]
        # 127, 255: not even the launcher can start.
        small.disturbed(f"21 {mebibytes} MiB of address space", (*THEIRS, 127, 255), START,
                        prefix=prefix, lines=NP)


class ControlGroup:
    """A control group with a limit; the shell command before a program puts it there."""

    def __init__(self, mebibytes):
        self.version_1 = pathlib.Path("/sys/fs/cgroup/memory").is_dir()
        root = pathlib.Path("/sys/fs/cgroup/memory" if self.version_1 else "/sys/fs/cgroup")
        self.folder = root / f"tpinfer-check-{os.getpid()}"
        limit = "memory.limit_in_bytes" if self.version_1 else "memory.max"
        try:
            self.folder.mkdir()
            (self.folder / limit).write_text(str(mebibytes << 20))
        except OSError as error:
            self.remove()
            raise Skipped(f"no control groups here: {error}")
        self.prefix = ["bash", "-c", f'echo $$ > {self.folder}/cgroup.procs; exec "$@"', "-"]

    def remove(self):
        if self.folder.is_dir() and wait_for(
                lambda: not (self.folder / "cgroup.procs").read_text()):
            self.folder.rmdir()


@check
def a_small_control_group(folder):
    group = ControlGroup(400)
    try:
        small = Run(folder)
        small.disturbed("21 control group of 400 MiB", 0, START, prefix=group.prefix)
        write_model(folder / "big.h5", graph({"x": [30000, 9000]}, "y", node("Neg", "x", "y")))
        result = run(["--model", folder / "big.h5"], prefix=group.prefix)
        refused(result, 71, "allocate memory: ", " per rank on ", " available; use more nodes")
        note("21 predicted in a control group", result)
    finally:
        group.remove()


@check
def killed_for_want_of_memory(folder):
    group = ControlGroup(2 * NP)  # less than the program itself
    try:
        Run(folder).disturbed("21 killed for want of memory", (1, 137), START,
                              prefix=group.prefix)
    finally:
        group.remove()


if NP == 1 and not LONG:
    print("0 passed, 0 failed: one rank is in the long form")
    sys.exit(77)
main(table)
