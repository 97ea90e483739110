#!/usr/bin/python3
# ranks: 3
"""Every place where a fault can be injected is in the list of comm/fault.cpp, is reached by a run,
and an error there becomes the one documented end of all ranks."""
import re

import numpy as np

from answers import MATMUL_NEG, filled
from fault_runs import *
from harness import *

FOLDERS = ("comm", "launch", "runtime", "shard")


def listed():
    text = (SOURCE / "comm/fault.cpp").read_text()
    return set(re.findall(r'"([^"]+)"', re.search(r"kSites\[\] = \{(.*?)\};", text, re.S)[1]))


def written():
    """The names of sites and phases in the source."""
    sites = set()
    for folder in FOLDERS:
        for path in (SOURCE / folder).rglob("*.cpp"):
            text = path.read_text()
            sites |= set(re.findall(r'fault_site\("([^"]+)"\)', text))
            sites |= set(re.findall(r'\btogether\(\s*[\w.()>-]+,\s*"([^"]+)"', text))
    return sites


def visited(folder, arguments, env=None):
    """The sites that a run comes to."""
    log = folder / "log"
    log.unlink(missing_ok=True)
    result = run([*arguments, "--quiet"],
                 env={"TPINFER_FAULT": "*:*:*:slow(0)", "TPINFER_FAULT_LOG": log, **(env or {})})
    equal((result.status, result.stderr), (0, ""), f"run with {arguments}")
    return {line.split(":")[0] for line in log.read_text().splitlines()}


@check
def the_list_is_the_source(folder):
    expect(len(written()) > 20, f"found {written()}")
    equal(written() - listed(), set(), "sites that comm/fault.cpp does not list")
    equal(listed() - written(), set(), "sites that are only listed")


@check
def each_site_is_reached(folder):
    small = Run(folder)
    np.save(folder / "labels.npy", np.zeros(ROWS, np.int64))
    sites = visited(folder, [*small.arguments, "--labels", folder / "labels.npy", "--check-finite",
                             "--report", folder / "r.json"])
    x = filled(1, 128, 96)
    write_model(folder / "c.h5", MATMUL_NEG, {"w": filled(0.5)},
                [{"inputs": {"x": x}, "outputs": {"y": filled(-48, 128)}}])
    sites |= visited(folder, ["--model", folder / "c.h5", "--check"])
    missing = listed() - sites
    if "calibrate" in missing:  # by its error below, for it takes seconds
        missing.remove("calibrate")
    equal(missing, set(), "sites that no run came to")


@check
def an_error_at_each_phase(folder):
    # Elsewhere: those of another mode, and those in which ranks cannot agree.
    elsewhere = {"labels", "read known answers", "compare known answers", "check output",
                 "calibrate", "start", "init", "collective", "load", "step", "finalize"}
    side_by_side(folder, [{"case": f"{site}: error on rank 2", "status": 65,
                           "fault": f"{site}:2:1:error",
                           "words": (f"{site}: rank 2 on ", "fault injected")}
                          for site in sorted(listed() - elsewhere)])


@check
def an_error_where_ranks_cannot_agree(folder):
    side_by_side(folder, [{"case": f"{site}: {action} on rank 2", "status": status,
                           "fault": f"{site}:2:1:{action}", "words": (word,)}
                          for site in ("start", "init", "collective", "step", "finalize")
                          for action, status, word in (("throw", 70, "fault injected"),
                                                       ("oom", 71, "out of memory"))])


@check
def an_error_while_costs_are_measured(folder):
    result = run(["--calibrate", folder / "costs.json"], env={"TPINFER_FAULT": "calibrate:1:1:oom"})
    refused(result, 71, "calibrate: rank 1 on ", "out of memory")
    expect(not (folder / "costs.json").exists(), "no cost table")


main(table)
