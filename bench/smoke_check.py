"""Runs scripts/bench --quick on what is built, and looks at the table's shape, not at speeds.

  smoke_check.py BUILD_FOLDER
"""
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BENCH = pathlib.Path(__file__).resolve().parent.parent / "scripts/bench"
LINE = re.compile(r"(\S.*?)  +(\S.*?)  +(\S.*?)  +(\d+\.\d\d)  +(\d+\.\d\d)  +"
                  r"(\d+\.\d\d to +\d+\.\d\d)  +(\d+)")
PAIRS = {("matmul eigen", "plain Eigen"), ("matmul blas", "plain BLAS"),
         ("matmul eigen", "FMA peak"), ("matmul eigen", "read roof"), ("gelu", "memcpy"),
         ("softmax", "memcpy"), ("layer norm", "memcpy"), ("1 rank", "1 rank --fast")}
PAIRS_OF_TWO_RANKS = {("all-reduce of roots", "MPI_Allreduce"), ("all-gather", "MPI_Allgather"),
                      ("all-to-all", "MPI_Alltoall"), ("2 ranks", "1 rank"),
                      ("2 ranks", "1 rank, 2 threads"), ("2 ranks", "2 ranks --fast"),
                      ("2 ranks blas", "2 ranks blas --fast")}


def run(build, *arguments):
    return subprocess.run([sys.executable, BENCH, "--no-build", "--build-dir", build, *arguments],
                          capture_output=True, text=True, check=False)


def check_row(row):
    ratios = row["ratios"]
    assert row["rounds"] == len(ratios) >= 2, row
    assert all(math.isfinite(ratio) and ratio > 0 for ratio in ratios), row
    assert min(ratios) == row["minimum"] <= row["lower_quartile"] <= row["median"], row
    assert row["median"] <= row["upper_quartile"] <= max(ratios), row


def check_table(build, json_file):
    done = run(build, "--quick", "--json", json_file)
    assert done.returncode == 0, (done.returncode, done.stderr)
    result = json.loads(json_file.read_text())
    assert result["schema"] == 1 and result["quick"], result["schema"]
    for row in result["rows"]:
        check_row(row)
    got = {(row["what"], row["against"]) for row in result["rows"]}
    want = PAIRS | (PAIRS_OF_TWO_RANKS if result["ranks"] == 2 else set())
    assert want <= got, want - got
    assert len({(r["what"], r["against"], r["size"]) for r in result["rows"]}) == len(
        result["rows"]), "two rows of one name"
    lines = done.stdout.splitlines()
    assert any(re.fullmatch(r"what +compared with +size +median +min +quartiles +rounds", line)
               for line in lines), done.stdout
    printed = [match.groups()[:3] for match in map(LINE.fullmatch, lines) if match]
    assert printed == [(r["what"], r["against"], r["size"]) for r in result["rows"]], printed
    assert set(result["outputs"]) == {"1", "64"}, result["outputs"]
    assert {roof["name"] for roof in result["roofs"]} == {"FMA peak", "read roof", "memcpy"}
    assert result["machine"]["version"].startswith("tpinfer "), result["machine"]


def check_refusals(build):
    too_many = len(os.sched_getaffinity(0)) + 1
    for arguments in (["--ranks", str(too_many)], ["--ranks", "0"], ["--no-such-option"]):
        done = run(build, *arguments)
        assert done.returncode == 64, (arguments, done.returncode, done.stderr)
        assert done.stderr.startswith("bench: ") and done.stderr.count("\n") == 1, done.stderr
        assert done.stdout == "", done.stdout


def main(build):
    with tempfile.TemporaryDirectory() as folder:
        check_table(build, pathlib.Path(folder) / "bench.json")
        assert [path.name for path in pathlib.Path(folder).iterdir()] == ["bench.json"]
    check_refusals(build)
    print("bench.smoke: the table has its shape")


if __name__ == "__main__":
    main(sys.argv[1])
