"""The frame of the Python checks.

A check is a script tests/cli/<name>_check.py:

  #!/usr/bin/python3
  # ranks: 1 2 8
  from harness import *

  @check
  def the_version_is_printed(folder):  # an empty folder of its own
      result = run(["--version"])
      equal(result.status, 0, "status")
      contains(result.stdout, "tpinfer", "stdout")
      no_leftovers(folder)

  main()

CTest runs it once per rank count. By hand: TPINFER_NP=2 tests/cli/<name>_check.py [CHECK...]
"""
import os
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

from models import MODELS, Skipped, fashion_mnist, shared_model, write_model
from programs import (BIN, FAIL_LIBRARY, MARK, MPIEXEC, NP, OPENS_LIBRARY, PMPI_LIBRARY, SOURCE,
                      TIMED_OUT, Result, command, environment, finish, kill_our_processes,
                      our_processes, rank_pids, read_proc, run, start, tpinfer_lines)

_checks = []
_passed = 0
_failed = 0
_skipped = 0


def check(function):
    """Marks a check: function(folder), called by main() with an empty folder."""
    _checks.append(function)
    return function


def expect(condition, what):
    """Counts one expectation, and goes on if it fails. Returns whether it held."""
    global _passed, _failed
    if condition:
        _passed += 1
    else:
        _failed += 1
        caller = next(frame for frame in reversed(traceback.extract_stack())
                      if frame.filename != __file__)
        print(f"FAIL {pathlib.Path(caller.filename).name}:{caller.lineno}: {what}", flush=True)
    return bool(condition)


def failed():
    """How many expectations have failed so far."""
    return _failed


def equal(got, want, what):
    return expect(got == want, f"{what}: got {got!r}, want {want!r}")


def contains(text, part, what):
    return expect(part in text, f"{what}: {part!r} is not in {text!r}")


def refused(result, status, *parts):
    """Expects this exit code and one line of ours, which has all the parts."""
    equal(result.status, status, f"status; stderr {result.stderr}")
    lines = tpinfer_lines(result.stderr)
    if equal(len(lines), 1, f"lines of ours in {result.stderr!r}"):
        for part in parts:
            contains(lines[0], str(part), "the line")


def _orphaned_shared_memory():
    """Files /dev/shm/tpinfer* that no living process maps: other checks may be running."""
    files = [str(path) for path in pathlib.Path("/dev/shm").glob("tpinfer*")]
    if not files:
        return []
    maps = "".join(read_proc(p / "maps") for p in pathlib.Path("/proc").glob("[0-9]*"))
    return [file for file in files if file not in maps]


def only_on(*ranks):
    """Skips a check on other numbers of ranks, but not in the long form: these say enough."""
    if NP not in ranks and os.environ.get("TPINFER_LONG_TESTS") != "1":
        raise Skipped(f"said by {' '.join(map(str, ranks))} ranks")


def no_leftovers(folder, seconds=5):
    """Expects that within `seconds` no process, shared memory or half-written file is left."""
    deadline = time.monotonic() + seconds
    while True:
        left = [f"process {pid} {read_proc(f'/proc/{pid}/comm').strip()}"
                for pid in our_processes()]
        left += _orphaned_shared_memory()
        left += [str(path) for path in pathlib.Path(folder).rglob("*.tmp.*")]
        if not left or time.monotonic() > deadline:
            return equal(left, [], "left behind")
        time.sleep(0.05)


def _run_check(function):
    global _failed, _skipped
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tpinfer-check-"))
    before = _passed + _failed
    try:
        function(folder)
        if _passed + _failed == before:
            raise AssertionError("it expected nothing and so could not fail")
    except Skipped as reason:
        _skipped += 1
        print(f"SKIP {function.__name__}: {reason}", flush=True)
    except Exception:
        _failed += 1
        print(f"FAIL {function.__name__}:\n{traceback.format_exc()}", flush=True)
    finally:
        kill_our_processes()
        shutil.rmtree(folder, ignore_errors=True)


def main(at_end=None):
    """Runs all checks, or those named on the command line; calls at_end(); prints "N passed, M
    failed"; exits with 1 if anything failed or nothing was expected, with 77 if all that was wanted
    was skipped."""
    for function in _checks:
        if not sys.argv[1:] or function.__name__ in sys.argv[1:]:
            _run_check(function)
    if at_end:
        at_end()
    print(f"{_passed} passed, {_failed} failed" + (f", {_skipped} skipped" if _skipped else ""))
    sys.exit(1 if _failed else 0 if _passed else 77 if _skipped else 1)
