#!/usr/bin/python3
# ranks: none
"""A Slurm test that ends in its middle, by SIGTERM or SIGKILL, leaves nothing behind."""
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cli"))

import cluster  # noqa: E402
from harness import *  # noqa: E402,F403

STORY = """
import sys
sys.path[:0] = [{here!r}, {cli!r}]
import cluster, time
cluster.isolate()
with cluster.Cluster(nodes=2) as slurm:
    job = slurm.sbatch("--nodes=2", "--output=/dev/null", "--wrap", "srun sleep 1000")
    slurm.wait(job, ("RUNNING",))
    print("running", flush=True)
    time.sleep(1000)
"""


def marked(mark):
    """Names of the living processes that carry the mark."""
    return sorted(read_proc(p / "comm").strip() for p in pathlib.Path("/proc").glob("[0-9]*")
                  if mark in read_proc(p / "environ"))


def traces():
    """What a cluster could leave in the system: network devices, namespaces, mounts, files."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    names = sorted(line.split(": ")[1] for line in links.splitlines())
    folders = [sorted(p.name for p in pathlib.Path(f).glob(pattern)) for f, pattern in
               (("/run", "slurm*"), ("/run", "pmix*"), ("/run/netns", "*"), ("/etc/netns", "n?"))]
    mounts = [line for line in read_proc("/proc/self/mounts").splitlines() if "pmix" in line]
    return names, folders, mounts


@check
def nothing_is_left_of_a_test_that_is_killed(folder):
    cluster.needed()
    story = folder / "story.py"
    here = pathlib.Path(__file__).resolve().parent
    story.write_text(STORY.format(here=str(here), cli=str(here.parent / "cli")))
    before = traces()
    for number in (signal.SIGTERM, signal.SIGKILL):
        mark = uuid.uuid4().hex
        process = subprocess.Popen([sys.executable, story], stdout=subprocess.PIPE, text=True,
                                   env={**os.environ, "CHECK_OF_SLURM": mark})
        equal(process.stdout.readline(), "running\n", "the cluster is up")
        running = marked(mark)
        for name in ("munged", "slurmctld", "slurmd", "sleep"):
            expect(name in running, f"no {name} among {running}")
        process.send_signal(number)
        process.wait(timeout=5)
        deadline = time.monotonic() + 5
        while marked(mark) and time.monotonic() < deadline:
            time.sleep(0.05)
        equal(marked(mark), [], f"processes after {number!r}")
        equal(traces(), before, f"devices, namespaces, mounts and files after {number!r}")


main()
