#!/usr/bin/python3
# ranks: none
# serial
"""Several hosts: a rank, a daemon or a whole host goes, or never was there. The job ends on all
hosts, soon, with a code and one line that tell what happened, and an older output stays."""
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))

from hosts import Hosts
from network import write_network

from harness import *

import numpy as np

LIMIT = 2
ROWS = 400  # for about 20 s
LONG = bool(os.environ.get("TPINFER_LONG_TESTS"))


def slow_run(folder, hosts, *more, limit=LIMIT):
    """A run of 3 x 2 ranks that has begun to compute: the process, and {rank: process id}."""
    model = write_network(folder, rows=ROWS)
    (folder / "y.npy").write_text("older")
    launch = hosts.launch(2)
    launch["launcher"] += ["-x", "TPINFER_FAULT", *more]
    process = start(["--model", model, "--input", folder / "x.npy", "--batch-size", "1", "--output",
                     folder / "y.npy", "--quiet", "--timeout", limit], np=6,
                    env={"TPINFER_FAULT": "step:1:*:slow(50)"}, **launch)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if len(rank_pids()) == 6 and writes(rank_pids()[0], folder):
            time.sleep(0.3)
            return process, rank_pids()
        time.sleep(0.05)
    raise AssertionError(f"it did not start: {finish(process, 1)}")


def writes(pid, folder):
    """Whether a process has a nameless file open, as an output is until it is whole."""
    try:
        return any(os.readlink(link).startswith(f"{folder}/#")
                   for link in pathlib.Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def gone(folder, since, seconds):
    """Expects that nothing runs on any host `seconds` after `since`, and the older output is there."""
    no_leftovers(folder, max(0, seconds - (time.monotonic() - since)))
    equal((folder / "y.npy").read_text(errors="replace"), "older", "the older output")


def ranks_gone(since, seconds):
    while rank_pids() and time.monotonic() - since < seconds:
        time.sleep(0.05)
    equal(rank_pids(), {}, f"ranks {seconds} s later")


def daemon_of(hosts, index):
    """Process id of Open MPI's daemon on a host."""
    namespace = os.stat(f"/run/netns/{hosts.names[index]}").st_ino
    return next(pid for pid in our_processes()
                if read_proc(f"/proc/{pid}/comm").strip() == "orted"
                and os.stat(f"/proc/{pid}/ns/net").st_ino == namespace)


@check
def a_rank_of_another_host_is_killed(folder):
    for rank in (5, 2, 0) if LONG else (5,):
        with Hosts(3) as hosts:
            process, pids = slow_run(folder, hosts)
            since = time.monotonic()
            os.kill(pids[rank], signal.SIGKILL)
            result = finish(process, 20)
            equal(result.status, 137, f"status; {result.stderr}")
            gone(folder, since, 10)
            print(f"rank {rank} killed: all gone after {time.monotonic() - since:.1f} s", flush=True)


def expect_cut_off_lines(result, hosts, index):
    """Rank 0 names a rank of the host. With so short a limit the others may miss rank 0 before the
    launcher ends them; then one of them says so, too."""
    lines = tpinfer_lines(result.stderr)
    for line in lines:
        contains(line, "is stopped or cut off: no sign of life for 2 s", "the line")
    about_rank_0 = [line for line in lines if "rank 0 on" in line]
    about_others = [line for line in lines if line not in about_rank_0]
    if index != 0:
        expect(len(about_others) == 1 and f"on {hosts.names[index]}" in about_others[0],
               f"one line about {hosts.names[index]} in {lines}")
    else:  # each half takes itself for the one that is left
        expect(1 <= len(about_others) + len(about_rank_0) <= 2, f"a line in {result.stderr}")


@check
def a_host_is_cut_off(folder):
    """Here TCP gives dead connections up soon, as administrators can set it: the launcher and the
    daemon that is cut off can do nothing before."""
    for index in (2, 1, 0) if LONG else (2,):
        with Hosts(3) as hosts:
            hosts.give_up_after(2)
            process, _ = slow_run(folder, hosts)
            since = time.monotonic()
            hosts.cut(index)
            ranks_gone(since, LIMIT + 8)  # 5 s on a calm machine; here all hosts share a few cores
            ranks_after = time.monotonic() - since
            result = finish(process, 30)
            launcher_after = time.monotonic() - since
            equal(result.status, 75, f"status; {result.stderr}")
            expect_cut_off_lines(result, hosts, index)
            gone(folder, since, LIMIT + 10)
            print(f"host {index + 1} cut off: ranks gone after {ranks_after:.1f} s, launcher "
                  f"{result.status} after {launcher_after:.1f} s, all gone after "
                  f"{time.monotonic() - since:.1f} s", flush=True)


@check
def a_daemon_is_killed(folder):
    with Hosts(3) as hosts:
        process, _ = slow_run(folder, hosts)
        since = time.monotonic()
        os.kill(daemon_of(hosts, 2), signal.SIGKILL)
        result = finish(process, 20)
        expect(result.status not in (0, TIMED_OUT), f"status {result.status}; {result.stderr}")
        expect(time.monotonic() - since < 5, f"launcher after {time.monotonic() - since:.1f} s")
        gone(folder, since, 10)
        print(f"daemon killed: status {result.status}, all gone after "
              f"{time.monotonic() - since:.1f} s", flush=True)


@check
def a_host_that_does_not_answer(folder):
    model = write_network(folder)
    with Hosts(2) as hosts:
        since = time.monotonic()
        result = run(["--model", model, "--input", "x=ones"], np=3,
                     **hosts.launch(1, [*hosts.names, hosts.names[0] + "none"]))
        equal(result.status, 255, f"unknown host; {result.stderr}")
        expect(result.seconds < 5, f"unknown host: {result.seconds:.1f} s")
        no_leftovers(folder)


def long_form(function):
    return check(function) if LONG else function


@long_form
def a_host_is_cut_off_and_comes_back(folder):
    """With TCP's patience of 15 minutes all ranks end in time, and the launcher waits for news."""
    with Hosts(3) as hosts:
        process, _ = slow_run(folder, hosts)
        since = time.monotonic()
        hosts.cut(2)
        ranks_gone(since, LIMIT + 8)  # 5 s on a calm machine; here all hosts share a few cores
        time.sleep(5)
        equal(process.poll(), None, "the launcher waits")
        hosts.heal(2)
        healed = time.monotonic()
        result = finish(process, 60)
        equal(result.status, 75, f"status; {result.stderr}")
        expect_cut_off_lines(result, hosts, 2)
        gone(folder, healed, 20)
        print(f"healed: status 75 after {time.monotonic() - healed:.1f} s", flush=True)


@long_form
def a_host_whose_daemon_cannot_call_back(folder):
    """A firewall: ssh gets in, the daemon starts, and nothing comes back."""
    model = write_network(folder)
    with Hosts(2) as hosts:
        hosts.cut(1)
        result = run(["--model", model, "--input", "x=ones"], np=2, **hosts.launch(1))
        expect(result.status not in (0, TIMED_OUT), f"status {result.status}")
        contains(result.stderr, "an inability to create a connection back to mpirun", "stderr")
        print(f"no way back: status {result.status} after {result.seconds:.1f} s", flush=True)
        no_leftovers(folder)


@long_form
def the_launcher_watches_its_daemons(folder):
    """What a user can set: the launcher is the first to notice, and its status is its own."""
    watch = [word for name, value in (("time", 1), ("intvl", 1), ("probes", 2))
             for word in ("--mca", f"oob_tcp_keepalive_{name}", str(value))]
    with Hosts(3) as hosts:
        process, _ = slow_run(folder, hosts, *watch, limit=20)
        since = time.monotonic()
        hosts.cut(2)
        result = finish(process, 30)
        equal(result.status, 205, f"status; {result.stderr}")
        contains(result.stderr, "lost communication with a remote daemon", "stderr")
        gone(folder, since, 12)
        print(f"keepalive: status 205, all gone after {time.monotonic() - since:.1f} s", flush=True)


main()
