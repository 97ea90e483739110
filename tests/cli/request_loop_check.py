#!/usr/bin/python3
# ranks: 1 3 8
"""The request loop as a process: it waits, hangs, drains, is left by its readers, grows."""
import base64
import fcntl
import json
import os
import re
import signal
import subprocess
import time

import numpy as np

from answers import STREAMED, filled, graph, node
from harness import *

LONG = bool(os.environ.get("TPINFER_LONG_TESTS"))
SHORT_LIMIT = ["--timeout", "1.5"]
ASK = json.dumps({"id": 1, "inputs": {"x": "ones"}}).encode() + b"\n"


def model(folder):
    write_model(folder / "m.h5", STREAMED, {"w": filled(0.5)})
    return ["--model", folder / "m.h5"]


def serve(arguments, **options):
    """A running loop on a pipe."""
    return start([*arguments, "--requests", "-"], stdin=subprocess.PIPE, **options)


def send(process, text):
    process.stdin.write(text)
    process.stdin.flush()


def close(process, timeout=60):
    process.stdin.close()
    process.stdin = None
    return finish(process, timeout)


def processor_seconds(pids):
    ticks = os.sysconf("SC_CLK_TCK")
    fields = [read_proc(f"/proc/{pid}/stat").rsplit(")", 1)[1].split() for pid in pids]
    return [(int(f[11]) + int(f[12])) / ticks for f in fields]


def resident_bytes(pid):
    return int(re.search(r"VmRSS:\s*(\d+) kB", read_proc(f"/proc/{pid}/status"))[1]) * 1024


@check
def a_named_pipe_is_read_until_its_last_writer_closes_it(folder):
    arguments = model(folder)
    pipe = folder / "requests"
    os.mkfifo(pipe)
    process = start([*arguments, "--requests", pipe])
    with open(pipe, "wb", buffering=0) as first:  # waits for rank 0
        first.write(ASK)
        contains(process.stdout.readline().decode(), "-48.0", "the first answer")
        with open(pipe, "wb", buffering=0) as second:
            second.write(3000 * ASK)
        first.write(ASK.strip())
    result = finish(process)
    equal((result.status, len(result.stdout.splitlines())), (0, 3001), result.stderr)
    refused = run([*arguments, "--requests", pipe, "--resume", "--output", folder / "a.jsonl"])
    equal(refused.status, 64, "with --resume")
    equal(len(tpinfer_lines(refused.stderr)), 1, f"lines of ours in {refused.stderr}")
    contains(refused.stderr, "a named pipe cannot be read again; name a file", "with --resume")
    no_leftovers(folder)


@check
def the_pipe_of_rank_0_is_large(folder):
    process = serve(model(folder))
    send(process, ASK)
    process.stdout.readline()
    with open(f"/proc/{rank_pids()[0]}/fd/0", "rb") as pipe:
        equal(fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ), int(read_proc("/proc/sys/fs/pipe-max-size")),
              "bytes of the pipe from mpirun")
    equal(close(process).status, 0, "status")


@check
def waiting_costs_nothing_and_is_no_hang(folder):
    only_on(1, 8)
    process = serve([*model(folder), *SHORT_LIMIT])
    send(process, ASK)
    contains(process.stdout.readline().decode(), "-48.0", "the first answer")
    pids = rank_pids()
    equal(len(pids), NP, "ranks")
    time.sleep(0.5)
    before, seconds = processor_seconds(pids.values()), time.monotonic()
    time.sleep(3)
    after, seconds = processor_seconds(pids.values()), time.monotonic() - seconds
    shares = [(b - a) / seconds for a, b in zip(before, after)]
    expect(max(shares) < 0.05, f"shares of a core while idle: {shares}")
    send(process, ASK)
    contains(process.stdout.readline().decode(), "-48.0", "the answer after the pause")
    result = close(process)
    equal(result.status, 0, f"status; {result.stderr}")
    contains(result.stderr, "2 requests, 0 errors", "stderr")
    no_leftovers(folder)


@check
def a_rank_that_hangs_in_a_request_ends_the_job(folder):
    only_on(3)
    rank = NP - 1
    for site in (f"step:{rank}:5:hang", f"request:{rank}:2:hang"):
        process = serve([*model(folder), *SHORT_LIMIT], env={"TPINFER_FAULT": site})
        begun = time.monotonic()
        send(process, ASK * 3)
        contains(process.stdout.readline().decode(), "-48.0", "the first answer")
        result = finish(process)
        equal(result.status, 75, f"status with {site}; {result.stderr}")
        contains(result.stderr, f"rank {rank}", "stderr")
        expect(time.monotonic() - begun < 12, f"it took {time.monotonic() - begun} s")
        no_leftovers(folder)


@check
def an_error_of_rank_0_in_a_run_ends_the_job(folder):
    only_on(3)
    (folder / "r.jsonl").write_text('{"inputs": {"x": "ones"}}\n')
    result = run([*model(folder), "--requests", folder / "r.jsonl", "--quiet"], timeout=30,
                 env={"TPINFER_FAULT": "step:0:1:error"})
    refused(result, 65, "rank 0", "fault injected at step")


@check
def a_rank_that_dies_while_all_wait_ends_the_job(folder):
    only_on(8)
    process = serve(model(folder))
    send(process, ASK)
    process.stdout.readline()
    os.kill(rank_pids()[NP - 1], signal.SIGKILL)
    result = finish(process, 10)
    equal(result.status, 137, f"status; {result.stderr}")
    no_leftovers(folder)


@check
def a_signal_drains(folder):
    only_on(3)
    slowly = {"TPINFER_FAULT": "step:0:*:slow(150)"}
    for number in (signal.SIGUSR1, signal.SIGTERM):
        process = serve([*model(folder), "--max-queue", "2"], env=slowly)
        send(process, ASK * 50)
        first = process.stdout.readline()
        os.kill(rank_pids()[0], number)
        result = finish(process, 20)
        equal(result.status, 75, f"status; {result.stderr}")
        answers = [first.decode(), *result.stdout.splitlines()]
        expect(len(answers) < 40 and all(json.loads(a)["outputs"] for a in answers),
               f"whole answers: {answers}")
        contains(result.stderr, f"ended by signal {int(number)}: {len(answers)} request", "stderr")
        no_leftovers(folder)
    process = serve(model(folder))  # while it waits
    send(process, ASK)
    process.stdout.readline()
    os.kill(process.pid, signal.SIGUSR1)
    result = finish(process, 10)
    contains(result.stderr, "1 request answered", "stderr")
    no_leftovers(folder)


@check
def a_reader_of_answers_that_goes_away_ends_it(folder):
    only_on(1, 8)
    arguments = [*model(folder), "--requests", folder / "r.jsonl"]
    (folder / "r.jsonl").write_bytes(ASK * 2000)
    begun = time.monotonic()
    process = start(arguments)
    contains(process.stdout.readline().decode(), "-48.0", "the first answer")
    process.stdout.close()
    process.stdout = None
    process.communicate(timeout=40)
    expect(time.monotonic() - begun < 40, "it goes on")
    no_leftovers(folder)
    if NP > 1:
        return
    reader, writer = os.pipe()  # without a launcher, which reads for whoever does not
    process = start(arguments, np=0, stdout=writer)
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    result = finish(process)
    equal(result.status, 74, f"status; {result.stderr}")
    contains(result.stderr, "nobody reads the answers", "stderr")


@check
def a_slow_reader_of_answers_is_no_hang(folder):
    if NP > 1:
        return expect(True, "the launcher reads for whoever does not")
    (folder / "r.jsonl").write_bytes(ASK * 2000)
    reader, writer = os.pipe()
    process = start([*model(folder), "--requests", folder / "r.jsonl", *SHORT_LIMIT], np=0,
                    stdout=writer)
    os.close(writer)
    time.sleep(3)
    text = b""
    while part := os.read(reader, 1 << 20):
        text += part
    os.close(reader)
    result = finish(process)
    equal((result.status, len(text.splitlines())), (0, 2000), f"answers; {result.stderr}")


@check
def answers_that_cannot_be_written_end_it(folder):
    only_on(3)
    (folder / "r.jsonl").write_bytes(ASK * 800)
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    (folder / "disk").mkdir()
    mount = f"mount -t tmpfs -o size=64k none {folder}/disk"
    if subprocess.run([*namespace, "sh", "-c", mount], capture_output=True).returncode != 0:
        raise Skipped("no small file system can be mounted here")
    result = run([*model(folder), "--requests", folder / "r.jsonl",
                  "--output", folder / "disk/a.jsonl"],
                 prefix=(*namespace, "sh", "-c",
                         f'{mount} && "$@"; status=$?; cp {folder}/disk/a.jsonl {folder}; '
                         "exit $status", "sh"))
    equal(result.status, 74, f"status; {result.stderr}")
    line = tpinfer_lines(result.stderr)[-1]
    contains(line, "disk/a.jsonl: No space left on device", "the line")
    whole = (folder / "a.jsonl").read_text().splitlines()[:-1]
    expect(len(whole) > 100 and all(json.loads(text)["outputs"] for text in whole),
           f"{len(whole)} whole answers")
    contains(line, f"{len(whole)} request", "the line")
    no_leftovers(folder)


def rows_of(count, seed):
    """`count` requests of 200 sizes in an order of chance."""
    draw = np.random.default_rng(seed)
    for number in range(count):
        rows = int(draw.integers(1, 201))
        data = np.full(rows * 96, 0.25, np.float32)
        yield rows, json.dumps({"id": number, "encoding": "b64", "inputs": {"x": {
            "b64": base64.b64encode(data.tobytes()).decode(), "shape": [rows, 96]}}}).encode()


@check
def any_sizes_in_constant_memory(folder):
    process = serve(model(folder))
    count = 10_000 if LONG else 250
    resident = {}
    for number, (rows, text) in enumerate(rows_of(count, NP)):
        send(process, text + b"\n")
        answer = json.loads(process.stdout.readline())
        if "outputs" not in answer or answer["outputs"]["y"]["shape"] != [rows, 16]:
            expect(False, f"request {number}: {str(answer)[:300]}")
            break
        if number in (count // 2, count - 1):
            values = np.frombuffer(base64.b64decode(answer["outputs"]["y"]["b64"]), np.float32)
            expect(bool(np.all(values == -12.0)), f"values of request {number}")
            resident[number] = [resident_bytes(pid) for pid in rank_pids().values()]
    result = close(process)
    equal(result.status, 0, f"status; {result.stderr}")
    contains(result.stderr, f"{count} requests, 0 errors, {count} runs", "stderr")
    half, whole = (np.array(resident[n]) for n in sorted(resident))
    growth = (whole - half).max()
    expect(growth < (1 << 20), f"resident bytes grew by {growth} from {half} to {whole}")
    print(f"{count} requests of 200 sizes: {half.max()} bytes resident after half, "
          f"{whole.max()} in the end")


@check
def a_request_beyond_memory_is_answered(folder):
    # A row of one number becomes 2^20; and the file says that it has 2^40 rows.
    write_model(folder / "wide.h5", graph({"x": ["batch", 1]}, "y", node("MatMul", "x w", "y")),
                {"w": np.ones((1, 1 << 20), np.float32)})
    huge = folder / "huge.npy"
    with open(huge, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 1)})
        file.truncate(file.tell() + (1 << 42))
    rows = 1 << 18
    ones = base64.b64encode(np.ones(rows, np.float32).tobytes()).decode()
    process = serve(["--model", folder / "wide.h5"])
    send(process, b"\n".join(json.dumps(request).encode() for request in [
        {"id": 1, "inputs": {"x": {"b64": ones, "shape": [rows, 1]}}},
        {"id": 2, "inputs": {"x": str(huge)}},
        {"id": 3, "inputs": {"x": [[2]]}, "encoding": "b64"}]) + b"\n")
    result = close(process)
    equal(result.status, 0, f"status; {result.stderr}")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    for answer in answers[:2]:
        if expect("error" in answer, f"no error: {str(answer)[:300]}"):
            equal(answer["error"]["code"], 71, f"code of {answer}")
            contains(answer["error"]["message"], "available", "the message")
            contains(answer["error"]["message"], "TiB", "the message")
    values = np.frombuffer(base64.b64decode(answers[2]["outputs"]["y"]["b64"]), np.float32)
    equal((values.size, set(values.tolist())), (1 << 20, {2.0}), "the next one")


@check
def closed_streams_are_refused(folder):
    only_on(1)  # a launcher always gives streams
    (folder / "asked.jsonl").write_bytes(ASK)
    for closed, source, text in (("<&-", "-", "--requests: reading failed: Bad file"),
                                 (">&-", folder / "asked.jsonl", "stdout: Bad file")):
        result = run([*model(folder), "--requests", source, "-q"], np=0,
                     prefix=["bash", "-c", f'exec "$@" {closed}', "bash"])
        equal(result.status, 74, f"status; {result.stderr}")
        contains(result.stderr, text, "stderr")


@check
def many_empty_lists_are_refused_or_written(folder):
    only_on(1, 3)
    write_model(folder / "m.h5", graph({"x": ["n", "m"]}, "y", node("Neg", "x", "y")))
    shapes = [(2**40, 0), (2**62, 0), (2**62, 0), (0, 2**40), (2, 0)]
    requests = [{"inputs": {"x": {"b64": "", "shape": shape}}} for shape in shapes]
    requests += [{**request, "encoding": "b64"} for request in requests]
    process = serve(["--model", folder / "m.h5", "--batch", "64"])
    send(process, "".join(json.dumps(request) + "\n" for request in requests).encode())
    result = close(process)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    codes = [answer.get("error", {}).get("code", 0) for answer in answers]
    equal(codes, [71, 71, 71] + [0] * 7, "codes")
    equal(answers[4]["outputs"]["y"]["data"], [[], []], "the lists")
    equal(result.status, 0, f"status; {result.stderr}")


@check
def a_rank_without_the_memory_refuses_for_all(folder):
    only_on(1, 8)
    rank = NP - 1
    process = serve(model(folder), env={"TPINFER_FAULT": f"plan extents:{rank}:2:oom"})
    send(process, b"\n".join(text for _, text in rows_of(4, 1)) + b"\n")
    result = close(process)
    equal(result.status, 0, f"status; {result.stderr}")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    equal(["error" in answer for answer in answers], [True, False, False, False], "answers")
    equal(answers[0]["error"]["code"], 71, "the code")


main()
