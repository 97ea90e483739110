#!/usr/bin/python3
"""Injects faults into watchdog_probe and asserts status, time, stderr and that nothing survives.

    watchdog_check.py PROBE [CASE ...]

A case runs under mpirun; the limit of its watchdog is 1.5 s unless it says otherwise.
"""
import os
import re
import signal
import subprocess
import sys
import time

PROBE = os.path.abspath(sys.argv[1])
MPIEXEC = os.environ.get("TPINFER_MPIEXEC", "mpirun")
HYDRA = b"HYDRA" in subprocess.run([MPIEXEC, "--version"], stdout=subprocess.PIPE).stdout
CROWD = ["-bind-to", "none"] if HYDRA else ["--oversubscribe", "--bind-to", "none"]
LIMIT = 1.5
START = 2.0  # launch and teardown of a healthy run on a busy machine; a bound, not a measure
LADDER = 2.5  # Open MPI's launcher ends the others in up to two seconds when a rank has exited

LAUNCHER_VARIABLES = re.compile(r"^(OMPI_COMM_|PMI_|PMIX_|SLURM_|MPI_LOCAL)")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not LAUNCHER_VARIABLES.match(k)}
ENVIRONMENT |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def probe_pids():
    """Living processes of the probe; zombies are the launcher's affair."""
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().split(b"\0")
            with open(f"/proc/{pid}/stat") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if command[0].decode() == PROBE and state not in "ZX":
            pids.append(int(pid))
    return pids


class Result:
    def __init__(self, process, seconds, stdout, stderr):
        self.status = process.returncode
        self.seconds = seconds
        self.stdout = stdout
        self.stderr = stderr
        self.lines = [l[9:] for l in stderr.splitlines()
                      if l.startswith("tpinfer: ") and l != "tpinfer: cleaned"]
        self.cleaned = "tpinfer: cleaned" in stderr.splitlines()


def run(ranks, fault=None, limit=LIMIT, steps=10, extra=(), environment=None, during=None):
    """Runs the probe (ranks=0: without a launcher). during(process) acts from outside."""
    command = [PROBE, str(limit), str(steps), *extra]
    if ranks > 0:
        command = [MPIEXEC, "-n", str(ranks), *CROWD, *command]
    env = ENVIRONMENT | (environment or {})
    if fault:
        env["TPINFER_FAULT"] = fault
    start = time.monotonic()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True)
    if during:
        during(process)
    try:
        stdout, stderr = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
    result = Result(process, time.monotonic() - start, stdout, stderr)
    deadline = time.monotonic() + 5
    while probe_pids() and time.monotonic() < deadline:
        time.sleep(0.05)
    survivors = probe_pids()
    for pid in survivors:
        os.kill(pid, signal.SIGKILL)
    check(not survivors, f"{len(survivors)} processes survive", result)
    return result


def check(condition, what, result):
    if not condition:
        raise AssertionError(f"{what}\n  status {result.status} after {result.seconds:.1f} s\n"
                             f"  stdout {result.stdout!r}\n  stderr {result.stderr!r}")


def expect(result, status, line=None, within=None, at_least=0.0):
    """The status, exactly one line matching `line` (none: no line), the time of the launch."""
    check(result.status == status, f"want status {status}", result)
    check((result.stdout == "done\n") == (status == 0), "'done' is for success only", result)
    if line is None:
        check(not result.lines, "want no line", result)
    else:
        check(len(result.lines) == 1, "want one line", result)
        check(re.search(line, result.lines[0]), f"want {line!r}", result)
    if within:
        check(result.seconds <= within, f"want it within {within:.1f} s", result)
    check(result.seconds >= at_least, f"want at least {at_least:.1f} s", result)


def hung(result, line, ladder=0.0, limit=LIMIT):
    expect(result, 75, line + r".*run again or raise --timeout", limit + START + ladder, limit)


# No fault: nothing fires.
def healthy():
    for ranks in (0, 1, 3, 8):
        expect(run(ranks), 0, within=10)


def slow_below_the_limit():
    expect(run(3, "step:1:3:slow(1000)"), 0, at_least=1.0)


def slow_but_beating_for_ten_limits():
    expect(run(4, limit=1, environment={"PROBE_SLOW_RANK": "2"}), 0, at_least=10)


def off():
    def look_and_end(process):
        time.sleep(4)
        assert process.poll() is None, "a watchdog of limit 0 fired"
        process.terminate()
    result = run(2, "step:1:1:hang", limit=0, during=look_and_end)
    check(result.status == 1 and not result.lines, "want the launcher's end", result)


# One rank hangs: it is named, wherever it is.
def hang_in_a_step():
    result = run(4, "step:2:3:hang")
    hung(result, r"^rank 2 on \S+ has not moved for 1.5 s \(run\); "
         r"3 other ranks wait in all-gather")
    check(result.cleaned, "want the cleanups run", result)


def hang_of_rank_0():
    hung(run(4, "step:0:3:hang"), r"^rank 0 on \S+ has not moved for 1.5 s \(run\); 3 other ranks")


def hang_while_loading():
    hung(run(3, "load:1:1:hang"), r"^rank 1 on \S+ has not moved for 1.5 s \(load\); 2 other ranks")


def hang_inside_a_collective():
    hung(run(3, "collective:1:4:hang"), r"^no rank has moved for 1.5 s \(run\); 3 ranks wait in")


def hang_alone():
    for ranks in (0, 1):  # without a launcher and with one
        hung(run(ranks, "step:0:2:hang"), r"^rank 0 on \S+ has not moved for 1.5 s \(run\)")


def hang_of_one_among_eight():
    hung(run(8, "step:5:3:hang"), r"^rank 5 on \S+ has not moved .*; 7 other ranks wait in all-g")


def hang_before_init():
    hung(run(3, "init:1:1:hang"), r"^rank 1 on \S+ has not moved for 1.5 s \(start MPI\)", LADDER)


def stop_before_init():
    result = run(3, "init:1:1:stop")
    # Before MPI is up the watchdog's seconds are longer on a crowded machine.
    hung(result, r"^rank 0 on \S+ has waited in MPI_Init", 3 + 3 * LADDER)


def hang_before_the_end():
    result = run(3, "leave:1:1:hang")
    check(result.stdout == "done\n", "want it done", result)
    result.stdout = ""
    hung(result, r"^rank 1 on \S+ has not moved for 1.5 s \(run\); 2 other ranks wait in the end")


def hang_in_finalize():
    result = run(3, "finalize:1:1:hang")
    result.stdout = ""
    hung(result, r"^rank 1 on \S+ has not moved for 1.5 s \(end MPI\)", LADDER)


def different_collectives():
    result = run(3, extra=["mismatch"], steps=2)
    result.stdout = ""
    hung(result, r"^no rank has moved for 1.5 s \(run\); 1 rank waits in barrier, "
         r"2 ranks wait in the end of the run")


def different_collectives_that_are_checked():
    checked = {"TPINFER_CHECK_CALLS": "1"}
    expect(run(3, environment=checked), 0, within=10)
    expect(run(3, extra=["differ"], environment=checked), 70,
           r"^ranks call different collectives: rank 0 all-gather of size 3000 \(call 3\), rank 2 "
           r"broadcast from or to rank 0 of size 1000 \(call 3\)", 2 + START)
    result = run(3, extra=["mismatch"], steps=2, environment=checked)
    result.stdout = ""
    hung(result, r"^no rank has moved for 1.5 s \(run\); 1 rank waits in all-gather, "
         r"2 ranks wait in the end of the run")


# Stopped processes.
def stop_a_rank():
    hung(run(4, "step:2:3:stop"), r"^rank 2 on \S+ is stopped or cut off: no sign of life for "
         r"1.5 s( \(run\))?; 3 other ranks wait in all-gather")


def stop_rank_0():
    hung(run(4, "step:0:3:stop"), r"^rank 0 on \S+ is stopped or cut off: no sign of life")


def stop_and_continue(which, seconds):
    def act(_):
        deadline = time.monotonic() + 10
        while len(probe_pids()) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        pids = sorted(probe_pids())[which]
        assert pids, "the probe was not seen"
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    return run(3, steps=60, during=act)


def stop_one_for_less_than_the_limit():
    expect(stop_and_continue(slice(2, 3), 0.8), 0)


def stop_all_for_more_than_the_limit():
    expect(stop_and_continue(slice(0, 3), 4.0), 0, at_least=4)


# Other ends of a rank: the watchdog must not be in the way.
def deaths():
    for fault, status in (("kill", 137), ("segv", 139), ("exit0", None)):
        result = run(3, f"step:1:2:{fault}")
        check(result.status == status if status else result.status != 0, f"after {fault}", result)
        check(result.stdout == "" and result.seconds < 5 + START, f"after {fault}", result)


def agreed_errors():
    for fault, status, text in (("error", 65, "fault injected"), ("oom", 71, "out of memory"),
                                ("throw", 70, "fault injected")):
        expect(run(3, f"load:2:1:{fault}"), status, rf"^load: rank 2 on \S+: {text}", 3 + START)
    expect(run(8, "load:*:1:error"), 65, "^load: fault injected at load$", 3 + START)


def errors_in_the_middle():
    expect(run(3, extra=["throw", "1"]), 70, "^broke in the forward pass$", 1 + START)


def wrong_launcher():
    other = {"PMI_SIZE": "4", "PMI_RANK": "0"}
    expect(run(0, environment=other), 78, "^wrong launcher: PMI_SIZE=4 but .* counts 1 rank")
    expect(run(0, environment=other | {"PMI_RANK": "3"}), 78)  # rank 0 has said it
    expect(run(0, environment={"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}), 0)  # batch shell
    expect(run(1, environment=other), 0)  # the own launcher knows better


CASES = [healthy, slow_below_the_limit, slow_but_beating_for_ten_limits, off, hang_in_a_step,
         hang_of_rank_0, hang_while_loading, hang_inside_a_collective, hang_alone,
         hang_of_one_among_eight, hang_before_init, stop_before_init, hang_before_the_end,
         hang_in_finalize, different_collectives,
         different_collectives_that_are_checked, stop_a_rank, stop_rank_0,
         stop_one_for_less_than_the_limit, stop_all_for_more_than_the_limit, deaths, agreed_errors,
         errors_in_the_middle, wrong_launcher]


def main():
    failed = 0
    wanted = sys.argv[2:]
    for case in CASES:
        if wanted and case.__name__ not in wanted:
            continue
        start = time.monotonic()
        try:
            case()
            print(f"passed {case.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"FAILED {case.__name__}: {error}", flush=True)
    print(f"{len(wanted or CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
