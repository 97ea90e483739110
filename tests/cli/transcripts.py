"""Transcripts in the documentation: ```console blocks below a line <!-- run -->.

  <!-- run -->                 the block must run and print what stands there
  <!-- run: needs PATH -->     the same; skipped where PATH does not exist, but not in CI

A block is "$ command" lines (continued by a backslash at the end), each followed by its output. Our
own log lines ("tpinfer: ", "tpmodel: ") are compared with stderr, everything else with stdout. A
line "..." stands for any number of lines.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

from harness import BIN, MPIEXEC, environment

BLOCK = re.compile(r"^<!-- run(?:: needs (\S+))? -->\n+```console\n(.*?)^```$", re.M | re.S)
LOG = ("tpinfer: ", "tpmodel: ")
MARK = "\x1e"  # stands between the outputs of two commands

# What differs from machine to machine and from run to run. Hashes, counts and shares are compared.
VARYING = [
    (re.compile(r"\d+\.\d+ s\b"), "T s"),
    (re.compile(r"predict time =  \S+"), "predict time =  T"),
    (re.compile(r": \d+ (rows|requests) per second"), r": N \1 per second"),
    (re.compile(r"sent at most \d+ bytes"), "sent at most N bytes"),  # includes host names
    (re.compile(r"\d+ threads? per rank, .*?, kernels"), "THREADS, kernels"),
    (re.compile(r"(rank \d+ on) [^\s:]+"), r"\1 HOST"),
    (re.compile(r"(ranks on 1 host:) \S+"), r"\1 HOST"),
    (re.compile(r"(tp\w+ [\d.]+) \(.*\)"), r"\1 (LIBRARIES)"),
]


def blocks(text):
    """[(needs, [(command, expected lines)])] of a page."""
    return [(needs, commands(body)) for needs, body in BLOCK.findall(text)]


def commands(body):
    result = []
    for line in body.splitlines():
        if result and result[-1][0].endswith("\\"):
            result[-1] = (result[-1][0] + "\n" + line.removeprefix("> "), [])
        elif line.startswith("$ "):
            result.append((line[2:], []))
        else:
            result[-1][1].append(line)
    return result


def normal(line):
    for pattern, replacement in VARYING:
        line = pattern.sub(replacement, line)
    return line.rstrip()


def matches(expected, printed):
    """Whether printed lines are the expected ones, "..." standing for any."""
    parts = [r"(?:.*\n)*?" if line == "..." else re.escape(normal(line)) + r"\n"
             for line in expected]
    text = "".join(normal(line) + "\n" for line in printed)
    return re.fullmatch("".join(parts), text) is not None


def shims(folder):
    """A folder for PATH: mpirun and python3 are those of the test."""
    folder.mkdir(exist_ok=True)
    for name, program in {"mpirun": shutil.which(MPIEXEC), "python3": sys.executable}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def run_block(block, folder):
    """Runs the commands of a block in one shell: [(stdout lines, stderr log lines)]."""
    script = "status=0\n"
    for command, _ in block:
        script += f"(exit $status)\n{command}\nstatus=$?\n"
        script += f"printf '{MARK}'; printf '{MARK}' >&2\n"
    path = f"{shims(folder / 'shims')}:{BIN}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment({"PATH": path}),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    outputs = [part.splitlines() for part in done.stdout.split(MARK)[:-1]]
    logs = [[line for line in part.splitlines() if line.startswith(LOG)]
            for part in done.stderr.split(MARK)[:-1]]
    return list(zip(outputs, logs))


def differences(text, folder):
    """Runs all marked blocks of a page in order; yields (command, problem), "" when it agrees."""
    for needs, block in blocks(text):
        if needs and not pathlib.Path(needs).exists() and not os.environ.get("CI"):
            print(f"SKIP a transcript: {needs} is not there", flush=True)
            continue
        results = run_block(block, folder)
        for (command, lines), (printed, logged) in zip(block, results, strict=True):
            wanted_log = [line for line in lines if line.startswith((*LOG, "..."))]
            wanted_out = [line for line in lines if not line.startswith(LOG)]
            problem = ""
            if not matches(wanted_out, printed):
                problem = f"stdout {printed!r}, the page says {wanted_out!r}"
            elif not matches(wanted_log, logged):
                problem = f"log {logged!r}, the page says {wanted_log!r}"
            yield command, problem
