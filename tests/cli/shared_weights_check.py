#!/usr/bin/python3
# ranks: none
"""Equal weights of ranks and of instances are in the memory of a host once."""
import os
import re
import signal
import time

import numpy as np

from answers import *
from harness import *

MIB = 2 ** 20
LONG = bool(os.environ.get("TPINFER_LONG_TESTS"))
SIDE = 8192 if LONG else 4096  # 256 MiB, or 64 MiB, of weights


def model(folder, value=0.5, name="m.h5"):
    write_model(folder / name, graph({"x": ["batch", SIDE]}, "y", node("MatMul", "x w", "y")),
                {"w": np.full((SIDE, SIDE), value, np.float32)})
    np.save(folder / "x.npy", np.ones((4, SIDE), np.float32))
    return ["--model", folder / name, "-i", folder / "x.npy"]


def pss(pid):
    """Bytes that a process holds, pages that several hold counted in parts."""
    found = re.search(r"^Pss: +(\d+) kB", read_proc(f"/proc/{pid}/smaps_rollup"), re.M)
    return int(found[1]) * 1024 if found else 0


def held(count, wanted):
    """The sum of Pss of `count` ranks, when it has stopped to change."""
    end = time.monotonic() + 40
    before = 0
    while time.monotonic() < end:
        pids = [p for p in our_processes() if read_proc(f"/proc/{p}/comm").strip() == "tpinfer"]
        total = sum(map(pss, pids))
        if len(pids) == count and total > 0.95 * wanted and abs(total - before) < 0.02 * wanted:
            return total
        before = total
        time.sleep(1)
    return before


def measured(process, count):
    weights = SIDE * SIDE * 4
    total = held(count, weights)
    process.send_signal(signal.SIGUSR1)
    finish(process)
    return total / weights


@check
def parts_of_a_job_share(folder):
    arguments = model(folder)
    want = hashes(run(arguments, np=1))
    for np_, mesh, copies in ((2, ["--instances", "2"], [False, True]),
                              (4, ["--mesh", "dp=2"], [False, False, True, True])):
        result = run([*arguments, *mesh, "--report", folder / "r.json"], np=np_)
        equal(hashes(result), want, f"{mesh}")
        contains(result.stderr, "for 2 ranks" if np_ == 2 else "2 copies for 4 ranks", "the story")
        for rank, shares in zip(report(folder / "r.json")["rank"], copies, strict=True):
            equal(rank["shared_weight_bytes"], rank["weight_bytes"] if shares else 0, "shared")
            equal(rank["weight_bytes_read"], 0 if shares else rank["weight_bytes"], "read")
    result = run([*arguments, "--instances", "2", "--private-weights", "--report",
                  folder / "r.json"], np=2)
    equal(hashes(result), want, "private weights")
    equal([r["shared_weight_bytes"] for r in report(folder / "r.json")["rank"]], [0, 0], "shared")
    # A part that cannot reach the memory loads by itself: same bits, and a note.
    result = run([*arguments, "--instances", "2"], np=2, env={"TPINFER_FAULT": "map weights:1:1:error"})
    equal(hashes(result), want, "one that cannot share")
    contains(result.stderr, "note: the weights are not shared with rank 0", "the note")
    no_leftovers(folder)


@check
def memory_is_held_once(folder):
    arguments = [*model(folder), "--repeat", "100000"]
    one = measured(start([*arguments, "--instances", "2"], np=2), 2)
    two = measured(start([*arguments, "--instances", "2", "--private-weights"], np=2), 2)
    jobs = measured(start(["launch", "-k", "3", "--", *arguments], np=0), 3)
    slack = 0.25 if LONG else 1.0  # of a copy: what processes take beside the weights
    print(f"copies in memory: --instances 2: {one:.2f}, private: {two:.2f}, launch -k 3: {jobs:.2f}")
    expect(one < 1 + slack, f"--instances 2 holds {one:.2f} copies")
    expect(two > 1.9, f"with --private-weights it holds {two:.2f}")
    expect(jobs < 1 + 1.5 * slack, f"launch -k 3 holds {jobs:.2f} copies")
    no_leftovers(folder)


@check
def instances_share_or_load_by_themselves(folder):
    arguments = model(folder)
    want = hashes(run(arguments, np=1))["y"]
    launch = ["launch", "-k", "2", "-n", "2", "--"]
    reports = ["--report", f"{folder}/r{{instance}}.json"]
    equal(run([*launch, *arguments, *reports], np=0).status, 0, "status")
    ranks = [report(folder / f"r{i}.json") for i in (0, 1)]
    equal({r["outputs"][0]["sha256"] for r in ranks}, {want}, "bits")
    for pair in zip(ranks[0]["rank"], ranks[1]["rank"]):
        equal(sorted(rank["weight_bytes_read"] for rank in pair), [0, SIDE * SIDE * 2],
              "one of both has read")
    # Instances with other weights: another model, the same bytes in all.
    model(folder, 2.0, "other1.h5")
    model(folder, 0.5, "other0.h5")
    arguments[1] = f"{folder}/other{{instance}}.h5"
    result = run([*launch, *arguments, *reports], np=0)
    ranks = [report(folder / f"r{i}.json") for i in (0, 1)]
    equal(ranks[0]["outputs"][0]["sha256"], want, "its own weights")
    expect(ranks[1]["outputs"][0]["sha256"] != want, "the other has others")
    equal([rank["shared_weight_bytes"] for r in ranks for rank in r["rank"]], [0] * 4, "shared")
    contains(result.stderr, "not shared with other instances", "the note")
    # The first dies while it fills: the next takes over.
    process = run(["launch", "-k", "2", "--restart", "on-failure", "--", *model(folder), *reports],
                  np=0, env={"TPINFER_FAULT": "load:0:1:kill"})
    expect(process.status != 0, "all fillers die, each in its turn, and none hangs")
    no_leftovers(folder)


@check
def a_path_that_means_another_file_is_not_touched(folder):
    (folder / "precious").write_bytes(b"x" * 5000)
    (folder / "link").symlink_to(folder / "precious")
    arguments = model(folder)
    for path in (folder / "precious", folder / "link", folder / "none", "/proc/self/fd/999"):
        result = run(arguments, np=1, env={"TPINFER_LAUNCH_WEIGHTS": path})
        equal(result.status, 0, f"status {result.stderr}")
        contains(result.stderr, "note: the weights are not shared", f"{path}")
    equal((folder / "precious").read_bytes(), b"x" * 5000, "the file")


main()
