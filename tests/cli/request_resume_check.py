#!/usr/bin/python3
# ranks: 1 3 8
"""A request loop that ends and goes on (--resume): the final file is an undisturbed run's, byte for
byte, whatever the ranks, the batches and the way in which it ended; and no answer is ever lost."""
import fcntl
import hashlib
import json
import os
import random
import shutil
import signal
import time

from answers import graph, node
from harness import *
from jobs import LONG, synchronised
import numpy as np

COUNT = 60
OTHER = 3 if NP == 1 else 1  # ranks to go on with
SLOW = {"TPINFER_FAULT": "step:0:*:slow(40)"}
W = np.random.default_rng(7).integers(-3, 4, (12, 16)).astype(np.float32)


def request(number):
    """Good ones of several sizes, bad ones, several instances, lines that are none."""
    x = [[number, 1, 2, 3] * 3] * (number % 4)
    line = {0: json.dumps({"id": number, "inputs": {"x": [[1, 2]]}}), 1: "no json",
            2: json.dumps({"id": number, "instances": [{"x": x}, {}, {"x": "ones"}]})}.get(
                number % 9, json.dumps({"id": f"n{number}", "inputs": {"x": x}}))
    return line + {0: "\r\n", 3: "\n \t\n", 4: "\n\n"}.get(number % 7, "\n")


def job(folder, name="a.jsonl"):
    """Arguments of the job, its answers in `name`."""
    if not (folder / "m.h5").exists():
        write_model(folder / "m.h5", graph({"x": ["batch", 12]}, "y", node("MatMul", "x w", "y")),
                    {"w": W})
        (folder / "r.jsonl").write_bytes("".join(map(request, range(COUNT))).encode()[:-1])
    return ["--model", folder / "m.h5", "--requests", folder / "r.jsonl", "--quiet",
            "--output", folder / name]


def undisturbed(folder):
    result = run(job(folder, "want"))
    equal(result.status, 0, result.stderr)
    content = (folder / "want").read_bytes()
    equal(content.count(b"\n"), COUNT, "answers")
    return content


def progress(folder):
    return json.loads((folder / "a.jsonl.progress").read_text())


def left(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("a.jsonl"))


def answers(folder):
    path = folder / "a.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def ends_as(folder, want, how, *more, np=None):
    """Goes on to the end: the undisturbed run's bytes, and no progress."""
    result = run([*job(folder), "--resume", *more], np=np)
    equal(result.status, 0, f"status; {result.stderr}")
    got = (folder / "a.jsonl").read_bytes()
    print(f"{how!r}: {hashlib.sha256(got).hexdigest()[:16]}, "
          f"undisturbed {hashlib.sha256(want).hexdigest()[:16]}")
    expect(got == want, f"{how}: the file is not the undisturbed run's")
    equal(left(folder), ["a.jsonl"], "files")
    (folder / "a.jsonl").unlink()


def killed(folder, fault="save rows:0:20:kill", *more):
    result = run([*job(folder), "--resume", "--save-every", "0", *more],
                 env={"TPINFER_FAULT": fault})
    expect(result.status in (137, 9), f"killed by {fault}: {result.status} {result.stderr}")


@check
def drained_and_stopped_and_resumed(folder):
    want = undisturbed(folder)
    process = start([*job(folder), "--resume"], env=SLOW)
    deadline = time.monotonic() + 20
    while answers(folder) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    result = finish(process)
    done = progress(folder)["done"]
    refused(result, 75, f"ended by signal 10 after {done} of {COUNT} requests", "a.jsonl",
            "--resume")
    equal(answers(folder), done, "whole lines")
    expect((folder / "a.jsonl").read_bytes() == want[:(folder / "a.jsonl").stat().st_size],
           "the first answers")
    result = run([*job(folder), "--resume", "--stop-after", "1.5s"], env=SLOW, np=OTHER)
    more = progress(folder)["done"]
    refused(result, 75, f"ended by --stop-after 1.5s after {more} of {COUNT} requests", "--resume")
    expect(5 <= done <= more < COUNT, f"done {done}, then {more}")
    ends_as(folder, want, f"drained on {NP}, then {OTHER}, then {NP}", "--batch", "5")


@check
def killed_at_random_and_resumed_on_other_ranks(folder):
    want = undisturbed(folder)
    draw = random.Random(NP)
    for round in range(10 if LONG else 2):
        process = start([*job(folder), "--resume", "--save-every", draw.choice(["0", "0.1", "9"]),
                         "--batch", draw.choice(["1", "7"])], env=SLOW)
        deadline = time.monotonic() + 20
        least = answers(folder) + draw.randint(0, 8)
        while answers(folder) < least and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(draw.random() / 10)
        kill_our_processes()
        finish(process)
        if round % 2:
            with open(folder / "a.jsonl", "ab") as file:
                file.write(b'{"id":"torn","outputs":{')
    expect(0 < answers(folder) < COUNT, f"{answers(folder)} answers")
    ends_as(folder, want, f"killed on {NP}, then {OTHER}", "--batch", "64", np=OTHER)


@check
def killed_where_it_hurts(folder):
    want = undisturbed(folder)
    sites = ["save rows:0:1", "rows saved:0:1", "progress written:0:1", "progress renamed:0:1",
             "rows saved:0:9", "progress written:0:9", "remove progress:0:1"]
    for site in sites if LONG else sites[1::2] if NP == 1 else sites[-1:]:
        killed(folder, f"{site}:kill")
        ends_as(folder, want, site)


@check
def what_was_not_saved_is_kept_when_whole(folder):
    only_on(1)
    want = undisturbed(folder)
    killed(folder)
    done = progress(folder)["done"]
    expect(answers(folder) == done + 1, "one more is written than is saved")
    tails = [b"\0" * 40 + b"\n{}\n", b'{"id":77}', b'{"id":', b""]  # none is a whole line
    for tail in tails if LONG else tails[:2]:
        shutil.copytree(folder, copy := folder.with_name(folder.name + "-copy"))
        with open(copy / "a.jsonl", "ab") as file:
            file.write(tail)
        result = run([*job(copy), "--resume", "--stop-after", "0s"])
        refused(result, 75, f"after {done + 1} of {COUNT} requests")
        expect((copy / "a.jsonl").read_bytes() == (folder / "a.jsonl").read_bytes(), "the answers")
        ends_as(copy, want, f"with {tail[:9]} at the end")
        shutil.rmtree(copy)


def alone(arguments):
    """One rank without a launcher: for what rank 0 refuses by itself."""
    return run(arguments, np=0)


def unchanged(folder, result, status, *parts):
    """Refused, and neither answers nor progress have changed."""
    refused(result, status, *parts)
    expect({p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith("a.jsonl")}
           == unchanged.before, f"files have changed: {result.stderr}")


def remember(folder):
    unchanged.before = {p.name: p.read_bytes() for p in folder.iterdir()
                        if p.name.startswith("a.jsonl")}


@check
def what_belongs_to_another_run_is_refused(folder):
    only_on(1)
    want = undisturbed(folder)
    killed(folder)
    remember(folder)
    remedy = ["a.jsonl.progress and ", "a.jsonl to start again"]
    resume = [*job(folder), "--resume"]
    unchanged(folder, alone(job(folder)), 65, "--resume continues it", *remedy)
    for more, part in ((["--max-request", "1000"], "--max-request 67108864, now it is 1000"),
                       (["--check-finite"], "--check-finite off, now it is on")):
        unchanged(folder, alone([*resume, *more]), 65, part, *remedy)
    text = (folder / "r.jsonl").read_bytes()
    for changed in (text + b"\n{}", text.replace(b'"n59"', b'"n58"'), text[:-10]):
        (folder / "r.jsonl").write_bytes(changed)
        unchanged(folder, alone(resume), 65, f"of {COUNT} requests were made with requests",
                  hashlib.sha256(text).hexdigest()[:40], hashlib.sha256(changed).hexdigest()[:40],
                  *remedy)
    (folder / "r.jsonl").write_bytes(text)
    time_of_it = os.stat(folder / "m.h5").st_mtime_ns
    os.utime(folder / "m.h5", ns=(0, time_of_it + 10**9))
    unchanged(folder, alone(resume), 65, "no hashes to prove its weights", *remedy)
    os.utime(folder / "m.h5", ns=(0, time_of_it))
    shutil.move(folder / "m.h5", folder / "old.h5")
    other = W.copy()
    other[3, 4] += 1
    write_model(folder / "m.h5", graph({"x": ["batch", 12]}, "y", node("MatMul", "x w", "y")),
                {"w": other})
    unchanged(folder, alone(resume), 65, "model", *remedy)
    shutil.move(folder / "old.h5", folder / "m.h5")
    ends_as(folder, want, "after all the refusals")


@check
def damaged_files_are_refused(folder):
    only_on(1)
    want = undisturbed(folder)
    killed(folder)
    resume = [*job(folder), "--resume"]
    state, path = (folder / "a.jsonl").read_bytes(), folder / "a.jsonl"
    journal = folder / "a.jsonl.progress"
    good = journal.read_text()
    done = progress(folder)["done"]
    remedy = ["a.jsonl.progress and ", "a.jsonl to start again"]
    lines = state.splitlines(keepends=True)
    for damaged, part in ((state.replace(b'"n3"', b'"n4"'), "were changed"), (b"".join(lines[:4]), "has 4 answers"),
                          (want + b"{}\n", f"has {COUNT + 1} answers")):
        path.write_bytes(damaged)
        remember(folder)
        unchanged(folder, alone(resume), 65, part, *remedy)
    path.write_bytes(state)
    for text, part in ((good[:-9], "damaged"), (good.replace('"schema": 1', '"schema": 9'), "9"),
                       (good.replace('"requests",\n', '"rows",\n').replace(
                           '"unit": "requests"', '"unit": "rows"'), "it counts rows"),
                       (good.replace(f'"done": {done}', '"done": 99'), "99")):
        journal.write_text(text)
        remember(folder)
        unchanged(folder, alone(resume), 65, part, *remedy)
    journal.unlink()
    remember(folder)
    unchanged(folder, alone(resume), 65, "progress is missing", "remove", "a.jsonl to start again")
    journal.write_text(good)
    path.unlink()
    refused(alone(resume), 65, "has 0 answers", *remedy)
    path.write_bytes(state)
    ends_as(folder, want, "after all the damage")


@check
def a_file_that_is_complete_is_never_emptied(folder):
    only_on(1)
    want = undisturbed(folder)
    shutil.copy(folder / "want", folder / "a.jsonl")
    remember(folder)
    unchanged(folder, alone([*job(folder), "--resume"]), 65, "progress is missing")
    (folder / "a.jsonl").write_bytes(b"")  # mktemp makes such
    ends_as(folder, want, "from an empty file")
    (folder / "a.jsonl").symlink_to(folder / "real")
    killed_at = run([*job(folder), "--resume"], env={"TPINFER_FAULT": "step:0:9:kill"})
    expect(killed_at.status in (9, 137), f"{killed_at}")
    expect((folder / "real.progress").exists(), "progress stands beside the file of the link")
    result = run([*job(folder), "--resume"])
    equal(result.status, 0, result.stderr)
    expect((folder / "real").read_bytes() == want, "the answers behind a link")


@check
def what_is_said_to_be_kept_is_on_disk(folder):
    """Answers before their number, and the last ones before progress goes."""
    only_on(1)
    (folder / "out").mkdir()
    arguments = [*job(folder, "out/a.jsonl"), "--resume", "--save-every", "100"]
    equal(synchronised(arguments, folder / "log"),
          ["a.jsonl", "a.jsonl.progress.new", "out", "a.jsonl", "out"], "at the start, at the end")


@check
def requests_that_come_while_it_answers_are_refused(folder):
    only_on(1)
    process = start([*job(folder), "--resume", "--max-queue", "1"], np=0, env=SLOW)
    deadline = time.monotonic() + 20
    while answers(folder) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    with open(folder / "r.jsonl", "ab") as file:
        file.write(b"\n{}\n")
    refused(finish(process), 65, f"{COUNT} requests at the start, {COUNT + 1} now", "r.jsonl")


@check
def options_that_do_not_go_with_it(folder):
    only_on(1)
    arguments = job(folder)
    stdin = ["-" if a == folder / "r.jsonl" else a for a in arguments]
    refused(alone([*stdin, "--resume"]), 64, "--resume", "stdin", "name a file")
    refused(alone([*arguments[:-2], "--resume"]), 64, "--resume", "--output")
    refused(alone([*arguments, "--stop-after", "5s"]), 64, "--stop-after", "--resume")
    refused(alone([*arguments, "--resume", "--fast"]), 64, "--fast")
    equal(run([*arguments, "--resume", "--dry-run"]).status, 0, "a dry run")
    equal(left(folder), [], "files")
    with open(folder / "a.jsonl", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(alone([*arguments, "--resume"]), 73, "a.jsonl", "another run")
    no_leftovers(folder)


main()
