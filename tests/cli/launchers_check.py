#!/usr/bin/python3
# ranks: none
"""Launchers that cannot start the ranks, or are another MPI's: what the user sees."""
import os
import subprocess

from fault_runs import *
from harness import *


@check
def another_launcher(folder):
    small = Run(folder)
    for rank, line in ((0, True), (3, False)):  # only the first of them says it
        result = run(small.arguments, np=0,
                     env={"PMI_SIZE": 8, "PMI_RANK": rank, "OMPI_COMM_WORLD_SIZE": None})
        equal(result.status, 78, f"status; {result.stderr}")
        equal([("PMI_SIZE=8" in said, "counts 1 rank" in said)
               for said in tpinfer_lines(result.stderr)], [(True, True)] if line else [], "line")
        equal(small.output.read_bytes(), OLDER, "the older output")


@check
def root_without_permission(folder):
    if os.getuid() != 0:
        raise Skipped("only root is refused")
    Run(folder).disturbed("36 root without permission", 1, START, np=2,
                          env={"OMPI_ALLOW_RUN_AS_ROOT": None,
                               "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": None})


@check
def fewer_slots_than_ranks(folder):
    small = Run(folder)

    def two_slots(arguments, env, **_):
        line = [MPIEXEC, "--host", "localhost:2", "-n", "8", str(BIN / "tpinfer"),
                *map(str, arguments)]
        return finish(subprocess.Popen(
            line, env=environment({"OMPI_MCA_rmaps_base_oversubscribe": None}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    result = small.disturbed("36 eight ranks, two slots", (1,), START, ends=two_slots)
    contains(result.stderr, "not enough slots", "stderr")


@check
def no_such_program(folder):
    small = Run(folder)
    small.disturbed("36 no such program", (132, 134), START, np=2, program="tpinfer-not-here")


main(table)
