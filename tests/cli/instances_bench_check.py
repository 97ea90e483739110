#!/usr/bin/python3
# ranks: none
"""scripts/instances-bench: its table on known times (A-74), and that it measures at all (A-70)."""
import os
import subprocess
import sys

from harness import *

# n, one, two; the ratio as printed, and with four decimals.
TIMES = """50 5.77 6.80 5.69 1.08 1.0823
100 11.49 19.87 18.49 1.67 1.6693
200 23.40 47.39 46.01 2.00 1.9957
400 45.00 100.18 98.80 2.21 2.2109
50 5.54 5.64 5.48 1.00 1.0036
100 11.08 13.73 13.36 1.22 1.2225
200 23.98 28.45 27.53 1.17 1.1672
400 46.57 59.85 59.89 1.29 1.2856
400* 44.59 killed 44.21 0.99 0.9915"""


def bench(*arguments):
    done = subprocess.run([sys.executable, SOURCE / "scripts/instances-bench", *map(str, arguments)],
                          env=environment(), capture_output=True, text=True, timeout=200)
    return Result(done.returncode, done.stdout, done.stderr, 0)


@check
def the_ratio_of_known_times(folder):
    rows = [line.split() for line in TIMES.splitlines()]
    (folder / "feed").write_text("# n one two\n" + "\n".join(" ".join(r[:4]) for r in rows) + "\n")
    result = bench("--feed", folder / "feed")
    equal(result.status, 0, f"status {result.stderr}")
    lines = result.stdout.splitlines()
    equal(lines[0].split(), ["n", "single", "(t1..tk)", "ratio", "throughput", "x"], "columns")
    equal([line.split()[-2] for line in lines[1:10]], [r[4] for r in rows], "rounded")
    equal(lines[10], "ratio, 4 decimals: " + " ".join(r[5] for r in rows), "recomputed")
    equal([line.split()[-1] for line in lines[1:10]],
          "1.70 1.16 0.99 0.90 1.96 1.61 1.69 1.56 -".split(), "throughput")
    for text in ("50 5.77", "50 killed 1 2", "50 0 1 2", "50 a b c", "50 1 killed"):
        (folder / "feed").write_text(text)
        equal(bench("--feed", folder / "feed").status, 65, text)
    equal(bench("--feed", folder / "none").status, 65, "no file")
    equal(bench("--repeat", "0").status, 64, "usage")


@check
def it_measures(folder):
    result = bench("--repeat", "4,8", "--width", "64", "--build-dir", BIN.parent)
    equal(result.status, 0, f"status {result.stderr}")
    equal([line.split()[0] for line in result.stdout.splitlines()[1:]], ["n", "4", "8"], "rows")
    result = bench("--repeat", "4000", "--width", "64", "--same-cores", "--kill", "--build-dir",
                   BIN.parent)
    equal(result.status, 0, f"status {result.stderr}")
    contains(result.stderr, "oversubscribed: 2 instances of 1 rank on 1 core", "warning")
    contains(result.stdout, "killed)", "the killed one")
    no_leftovers(folder)


main()
