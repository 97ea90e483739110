#!/usr/bin/python3
# ranks: none
"""tpinfer launch: instances as MPI jobs of their own, and requests shared out to them."""
import json
import os
import signal
import subprocess
import time

from harness import *

MODEL = SOURCE / "examples/fashion_mnist.h5"

# A stand-in for an instance: answers requests as `tpinfer --requests -` does, and dies as told.
PROGRAM = """#!/usr/bin/python3
import json, os, pathlib, signal, sys, time
me = os.environ["TPINFER_LAUNCH_INSTANCE"]
def once(name):
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False
for line in sys.stdin:
    request = json.loads(line)
    if request.get("kill") or (request.get("kill once") and once(f"{sys.argv[0]}-died-{request['id']}")):
        os.kill(os.getpid(), signal.SIGKILL)
    if request.get("half"):
        sys.stdout.write('{"half')
        sys.stdout.flush()
        os._exit(3)
    time.sleep(request.get("seconds", 0))
    print(json.dumps({"id": request["id"], "by": me, "text": request.get("text", "")}), flush=True)
"""


def launch(*arguments, before=(), **options):
    return run(["launch", *arguments], np=0, prefix=before, **options)


def fake(folder):
    (folder / "fake.py").write_text(PROGRAM)
    (folder / "fake.py").chmod(0o755)
    return ["--mpirun", "", "--program", str(folder / "fake.py")]


def requests(folder, wishes):
    text = "".join(json.dumps({"id": i, **wish}) + "\n" for i, wish in enumerate(wishes))
    (folder / "requests.jsonl").write_text(text)
    return ["--requests", folder / "requests.jsonl"]


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def processes(name):
    return [pid for pid in our_processes() if read_proc(f"/proc/{pid}/comm").strip() == name]


def endless(folder, arguments, ranks):
    """An endless run of instances, and whether all ranks have come to their steps."""
    log = folder / "steps"
    log.unlink(missing_ok=True)
    process = start(["launch", *arguments, "--", "--model", MODEL, "--repeat", "1000000"], np=0,
                    env={"TPINFER_FAULT": "step:*:1:slow(1)", "TPINFER_FAULT_LOG": log})
    return process, wait_for(lambda: log.exists() and log.read_text().count("\n") >= ranks)


def of_instance(pids, number):
    return [pid for pid in pids
            if f"TPINFER_LAUNCH_INSTANCE={number}\0" in read_proc(f"/proc/{pid}/environ")]


@check
def instances_run_on_their_own_cores(folder):
    cores = sorted(os.sched_getaffinity(0))
    script = folder / "cores.py"
    script.write_text("#!/usr/bin/python3\nimport os, sys\n"
                      "print(sorted(os.sched_getaffinity(0)), *sys.argv[1:])\n")
    script.chmod(0o755)
    bare = ["--mpirun", "", "--program", script]
    result = launch("-k", "2", *bare, "--", "i{instance}")
    equal(result.status, 0, f"status {result.stderr}")
    half = len(cores) // 2
    got = sorted(result.stdout.splitlines())
    equal([line[:4] + line[-2:] for line in got], ["[0] i0", "[1] i1"], "arguments")
    seen = [json.loads(line[4:line.index("]", 4) + 1]) for line in got]
    equal(sorted(sum(seen, [])) if half else cores, cores, "all cores, each once")
    result = launch("-k", "2", "--cores", cores[-1], *bare, "--")
    contains(result.stderr, "tpinfer: oversubscribed: 2 instances of 1 rank on 1 core", "warning")
    equal(sorted(result.stdout.splitlines()), [f"[{i}] [{cores[-1]}]" for i in (0, 1)], "masks")
    refused(launch("--cores", "1000", *bare, "--"), 64, "1000", "may use")


@check
def jobs_of_their_own(folder):
    result = launch("-k", "2", "-n", "2", "--", "--model", MODEL, "-q", "--print-head", "2",
                    "--report", f"{folder}/r{{instance}}.json")
    equal(result.status, 0, f"status {result.stderr}")
    for i in (0, 1):
        lines = [line[4:] for line in result.stdout.splitlines() if line.startswith(f"[{i}] ")]
        equal(lines[1:], ["output data is: 3.7353495e-08 4.9313268e-08 "], f"instance {i}")
        report = json.loads((folder / f"r{i}.json").read_text())
        equal(report["ranks"], 2, "ranks")
    expect(all(line.startswith("tpinfer: ") for line in result.stderr.splitlines()), result.stderr)
    result = launch("-k", "2", "--log-dir", folder / "logs", "--", "--model", MODEL)
    equal((result.status, result.stdout), (0, ""), "status and stdout")
    for i in (0, 1):
        contains((folder / f"logs/instance-{i}.out").read_text(), "output data is", "its stdout")
        contains((folder / f"logs/instance-{i}.err").read_text(), "tpinfer: ", "its stderr")
    no_leftovers(folder)


@check
def the_failure_is_the_exit_code(folder):
    result = launch("-k", "2", "--", "--model", folder / "none{instance}.h5")
    equal(result.status, 66, "status")
    contains(result.stderr, "tpinfer: instance 1: exit 66", "its end")
    contains(result.stderr, "none1.h5", "its message")
    result = launch("-k", "2", "--restart", "on-failure", "--", "--model", folder / "none.h5")
    equal((result.status, "started again" in result.stderr), (66, False), "not to be cured")
    refused(launch("--program", folder / "none", "--mpirun", "", "--"), 66, "none", "cannot start")
    refused(launch("--mpirun", "no-such-launcher", "--"), 66, "no-such-launcher")
    refused(launch("--log-dir", "/proc/x", "--"), 73, "/proc/x")
    refused(launch("--requests", folder / "none", "--"), 66, "none")
    refused(launch("-k", "2"), 64, "--")
    refused(run(["launch", "--"], np=2), 64, "without mpirun")
    equal(launch("--help").status, 0, "help")
    no_leftovers(folder)


@check
def a_failed_instance_is_started_again(folder):
    script = folder / "flaky.sh"
    script.write_text('#!/bin/sh\necho x >> "$0.$1"\n[ $(wc -l < "$0.$1") -ge 3 ] || exit 70\n'
                      'echo done\n')
    script.chmod(0o755)
    bare = ["--mpirun", "", "--program", script]
    result = launch("-k", "2", "--restart", "on-failure:2", *bare, "--", "a{instance}")
    equal((result.status, sorted(result.stdout.splitlines())), (0, ["[0] done", "[1] done"]), "end")
    equal(result.stderr.count("exit 70"), 4, "failures told")
    result = launch("--restart", "on-failure:1", *bare, "--", "b")
    equal((result.status, result.stdout), (70, ""), "one restart is not enough")
    equal(len((folder / "flaky.sh.b").read_text().split()), 2, "starts")


@check
def one_killed_instance_leaves_the_other(folder):
    """A-73 but for the times."""
    process, run_steps = endless(folder, ["-k", "2", "-n", "2"], 4)
    expect(run_steps, "four ranks")
    os.kill(of_instance(processes("tpinfer"), 1)[0], signal.SIGKILL)
    expect(wait_for(lambda: not of_instance(processes("tpinfer"), 1)), "instance 1 has gone")
    time.sleep(0.3)
    equal(len(of_instance(processes("tpinfer"), 0)), 2, "ranks of instance 0")
    process.send_signal(signal.SIGUSR1)
    result = finish(process)
    equal(result.status, 137, f"status; {result.stderr}")
    contains(result.stderr, "instance 1: exit 137", "the killed one")
    contains(result.stderr, "instance 0: exit 75", "the other was asked to end")
    no_leftovers(folder)


@check
def signals_end_them_in_good_order(folder):
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        # Nothing is started again that was asked to end.
        process, run_steps = endless(folder, ["-k", "2", "--restart", "on-failure"], 2)
        expect(run_steps, "two ranks")
        process.send_signal(number)
        result = finish(process)
        equal(result.status, 75, f"status on {number}; {result.stderr}")
        contains(result.stderr, "ended by signal", "the instances' words")
    script = folder / "deaf.py"
    script.write_text("#!/usr/bin/python3\nimport signal, time\n"
                      "signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
                      "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
                      "time.sleep(100)\n")
    script.chmod(0o755)
    process = start(["launch", "--mpirun", "", "--program", script, "--"], np=0)
    equal(process.stdout.readline(), b"[0] up\n", "it is up")
    process.terminate()
    time.sleep(0.3)
    equal(process.poll(), None, "the launcher waits")
    started = time.monotonic()
    process.terminate()
    result = finish(process)
    equal(result.status, 75, "status")
    expect(4 < time.monotonic() - started < 9, "killed five seconds after the second signal")
    no_leftovers(folder)


@check
def nothing_outlives_a_killed_launcher(folder):
    process = start(["launch", "-k", "2", "-n", "2", "--", "--model", MODEL, "--repeat", "1000000"],
                    np=0)
    expect(wait_for(lambda: len(processes("tpinfer")) == 4), "four ranks")
    time.sleep(0.3)
    process.kill()
    finish(process)
    no_leftovers(folder, seconds=8)


@check
def answers_come_to_the_launcher(folder):
    """Whatever the environment or a short form of --output says; else it would wait for ever."""
    (folder / "requests.jsonl").write_text('{"id": 1}\n{"id": 2}\n')
    arguments = ["-q", "--requests", folder / "requests.jsonl", "--", "--model", MODEL, "-q"]
    result = launch(*arguments, env={"TPINFER_OUTPUT": str(folder / "elsewhere")})
    equal((result.status, len(result.stdout.splitlines())), (0, 2), f"answers; {result.stderr}")
    equal(launch(*arguments, f"-o{folder}/elsewhere").status, 64, "an output of the instance's own")
    expect(not (folder / "elsewhere").exists(), "another file")


@check
def answers_come_in_order(folder):
    wishes = [{"seconds": 0.02 * (i % 3), "text": "x" * (200_000 if i % 7 == 0 else i)}
              for i in range(30)]
    arguments = ["-k", "3", *fake(folder), *requests(folder, wishes)]
    result = launch(*arguments, "--")
    equal(result.status, 0, f"status {result.stderr}")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    equal([a["id"] for a in answers], list(range(30)), "ids")
    equal([a["text"] for a in answers], [w["text"] for w in wishes], "contents")
    equal(len({a["by"] for a in answers}), 3, "instances that took part")
    contains(result.stderr, "requests: 30 answered", "the end")
    (folder / "answers.jsonl").write_text("an older file\n" * 200_000)
    result = launch(*arguments, "-o", folder / "answers.jsonl", "--")
    equal((result.status, result.stdout), (0, ""), "status and stdout")
    equal(len((folder / "answers.jsonl").read_text().splitlines()), 30, "lines of --output")
    refused(launch(*arguments, "-o", folder / "requests.jsonl", "--"), 64, "requests")
    equal(len((folder / "requests.jsonl").read_text().splitlines()), 30, "requests are not harmed")
    process = start(["launch", "-k", "2", *fake(folder), "--requests", "-", "--"], np=0,
                    stdin=subprocess.PIPE)
    for i in range(5):  # one at a time: nothing waits for more
        process.stdin.write(b'\n \r\n{"id": %d}\n' % i)
        process.stdin.flush()
        equal(json.loads(process.stdout.readline())["id"], i, "answered at once")
    process.stdin.write(b'{"id": 5}')
    equal([json.loads(line)["id"] for line in finish(process).stdout.splitlines()], [5], "the last")
    no_leftovers(folder)


@check
def the_others_answer_for_a_dead_instance(folder):
    wishes = [{"seconds": 0.01} for _ in range(40)]
    wishes[3]["kill once"] = wishes[17]["kill once"] = True
    wishes[25]["half"] = True  # every time
    front = ["-k", "2", *fake(folder), *requests(folder, wishes)]
    result = launch(*front, "--restart", "on-failure", "--")
    equal(result.status, 0, f"status {result.stderr}")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    equal([a["id"] for a in answers], list(range(40)), "ids")
    equal([a["id"] for a in answers if "error" in a], [25], "errors")
    equal(answers[25]["error"]["code"], 75, "its code")
    for name in folder.glob("fake.py-died-*"):
        name.unlink()
    wishes[25].pop("half")
    wishes[17].pop("kill once")
    requests(folder, wishes)
    result = launch(*front, "--")
    equal(result.status, 137, f"without a restart; {result.stderr}")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    equal([a["id"] for a in answers if "error" not in a], list(range(40)), "all by the other")
    result = launch(*fake(folder), *requests(folder, [{}, {"kill": True}, {}]), "--")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    equal(["error" in a for a in answers], [False, True, True], "nobody is left")
    equal(result.status, 137, "status")
    no_leftovers(folder)


@check
def a_signal_lets_what_was_read_be_answered(folder):
    process = start(["launch", "-k", "2", *fake(folder), "--requests", "-", "--"], np=0,
                    stdin=subprocess.PIPE)
    process.stdin.write(b"".join(b'{"id": %d, "seconds": 0.2}\n' % i for i in range(4)))
    process.stdin.flush()
    process.stdout.readline()
    process.terminate()
    time.sleep(0.1)
    process.stdin.write(b'{"id": 99}\n')
    process.stdin.flush()
    process.wait(20)
    left = [json.loads(line)["id"] for line in process.stdout.read().splitlines()]
    equal((left, process.returncode), ([1, 2, 3], 75), "answers and status")
    no_leftovers(folder)


main()
