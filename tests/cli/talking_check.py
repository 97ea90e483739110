#!/usr/bin/python3
# ranks: 1 3
"""What a run says besides its results: the story, the plan, progress, help and versions."""
import os
import pty
import re

import numpy as np

from answers import MATMUL_NEG, STREAMED, filled, hashes
from harness import *

# Each step of rank 0 lasts longer, so that there is a progress to show.
SLOWLY = {"TPINFER_FAULT": "step:0:*:slow(60)"}


def model(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    return ["--model", folder / "m.h5"]


def slow_run(folder):
    write_model(folder / "s.h5", STREAMED, {"w": filled(0.5)})
    np.save(folder / "x.npy", np.ones((20, 96), np.float32))
    return ["--model", folder / "s.h5", "--input", folder / "x.npy", "--batch-size", "1"]


@check
def quiet_is_silent(folder):
    result = run([*model(folder), "--quiet"])
    equal((result.status, result.stderr), (0, ""), "status and stderr")
    contains(result.stdout, "-48.0", "stdout")
    refused(run(["--quiet", "--model", folder / "none.h5"]), 66, "none.h5")


@check
def only_results_on_stdout(folder):
    result = run([*model(folder), "--explain"])
    expect(all(line.startswith(("tensor's name is:", "output data is: "))
               for line in result.stdout.splitlines()), f"stdout: {result.stdout}")
    expect(all(line.startswith("tpinfer: ") for line in result.stderr.splitlines()),
           f"stderr: {result.stderr}")


@check
def explain_tells_the_plan(folder):
    plan = [line for line in tpinfer_lines(run([*model(folder), "--explain"]).stderr)
            if line.startswith("tpinfer: plan: ")]
    text = "\n".join(plan)
    for part in ("weight w (96,16)", f"mesh tp {NP}", "MatMul", "Neg"):
        contains(text, part, "the plan")
    if NP > 1:
        contains(text, "w (96,16) [S1]: cut", "the plan")
        contains(text, f"all-gather     y(128,16)[S1] -> y(128,16)[R] ({NP} ranks, 8192 bytes)",
                 "the plan")


@check
def a_dry_run_checks_everything_and_computes_nothing(folder):
    arguments = [*model(folder), "--dry-run", "--output", folder / "y.npy"]
    result = run([*arguments, "--explain"])
    equal((result.status, result.stdout), (0, ""), "status and stdout")
    for part in ("plan: ", "6144 bytes", "dry run"):
        contains(result.stderr, part, "stderr")
    equal(sorted(p.name for p in folder.iterdir()), ["m.h5"], "files")
    refused(run([*arguments, "--input", folder / "none.npy"]), 66, "none.npy")
    refused(run([*arguments, "--strategy", "xw=((1,7),(7,1))"]), 64, "96", "7")
    arguments[-1] = folder / "no/such/y.npy"
    refused(run(arguments), 73, "no/such/y.npy")
    result = run([*model(folder), "--dry-run", "--report", folder / "r.json"])
    equal(result.status, 0, "status")


@check
def progress_in_lines(folder):
    arguments = slow_run(folder)
    result = run([*arguments, "--progress", "lines"], env=SLOWLY)
    lines = re.findall(r"^tpinfer: run: (\d+) of 20 rows \((\d+) %\)$", result.stderr, re.M)
    expect(3 <= len(lines) <= 10, f"progress: {result.stderr}")
    expect(all(int(percent) == 5 * int(rows) for rows, percent in lines), f"percents: {lines}")
    equal(sorted(lines, key=lambda line: int(line[0])), lines, "order")
    for more in (["--progress", "none"], ["--quiet"]):
        result = run([*arguments, *more], env=SLOWLY)
        expect(" %" not in result.stderr, f"no progress with {more}: {result.stderr}")


@check
def a_bar_where_there_is_a_terminal(folder):
    master, terminal = pty.openpty()
    process = start([*slow_run(folder), "--progress", "auto"], env=SLOWLY, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(master, 65536):
            shown += part
    except OSError:  # the other end has gone
        pass
    os.close(master)
    result = finish(process)
    equal(result.status, 0, "status")
    contains(shown.decode(errors="replace"), "\rrun [####", "the bar")
    contains(result.stdout, "48.0", "stdout")


@check
def version_and_help(folder):
    result = run(["--version"])
    expect(re.fullmatch(r"tpinfer \d+\.\d+\.\d+ \(.+, HDF5 [\d.]+, .*BLAS.*, SIMD \S+\)\n",
                        result.stdout), f"the version, once: {result.stdout!r}")
    help_text = run(["--help"]).stdout
    expect(10 < len(help_text.splitlines()) <= 75, f"{len(help_text.splitlines())} lines of help")
    for option in ("--model", "--input", "--output", "--labels", "--batch-size", "--check",
                   "--check-finite", "--timeout", "--repeat", "--explain", "--dry-run", "--quiet",
                   "--report", "--config", "--kernels", "--threads", "--version", "--print-head",
                   "--print-rank", "--strategy", "--uneven", "--plan", "--fast", "--progress",
                   "--graph"):
        contains(help_text, option, "--help")
    equal(help_text.count("Usage"), 1, "help is printed once")
    alone = run(["--version"], np=0)
    equal((alone.status, alone.stdout), (0, result.stdout), "without a launcher")


@check
def without_a_launcher_it_is_one_rank(folder):
    result = run(model(folder), np=0)
    equal(hashes(result), hashes(run(model(folder))), "hash")
    contains(result.stderr, "equal on 1/1 ranks", "stderr")


@check
def every_option_has_an_environment_form(folder):
    model(folder)
    result = run([], env={"TPINFER_MODEL": folder / "m.h5", "TPINFER_PRINT_HEAD": "2",
                          "TPINFER_STRATEGY": f"xw=(({1},{NP}),({NP},1))", "TPINFER_UNEVEN": "true",
                          "TPINFER_EXPLAIN": "1", "TPINFER_OUTPUT": folder / "y.npy",
                          "TPINFER_REPORT": folder / "r.json", "TPINFER_REPEAT": "2",
                          "TPINFER_KERNELS": "reference", "TPINFER_THREADS": "2"})
    equal(result.status, 0, f"status; {result.stderr}")
    contains(result.stdout, "output data is: -48.0 -48.0 \n", "stdout")
    contains(result.stderr, "kernels reference", "stderr")
    contains(result.stderr, "2 threads per rank", "stderr")
    contains(result.stderr, "plan: ", "stderr")
    if NP > 1:
        contains(result.stderr, f"cut k/{NP}", "stderr")
    expect((folder / "y.npy").exists() and (folder / "r.json").exists(), "files")


main()
