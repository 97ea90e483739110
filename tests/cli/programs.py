"""Starting the programs under test, on ranks or alone, and finding their processes."""
import collections
import os
import pathlib
import signal
import subprocess
import time
import uuid

SOURCE = pathlib.Path(os.environ.get("TPINFER_SOURCE", pathlib.Path(__file__).parents[2]))
BIN = pathlib.Path(os.environ.get("TPINFER_BIN", SOURCE / "build/bin"))
PMPI_LIBRARY = os.environ.get("TPINFER_PMPI_LIBRARY", str(BIN / "../tests/libcount_collectives.so"))
OPENS_LIBRARY = os.environ.get("TPINFER_OPENS_LIBRARY", str(BIN / "../tests/libcount_opens.so"))
FAIL_LIBRARY = os.environ.get("TPINFER_FAIL_LIBRARY", str(BIN / "../tests/libfail_calls.so"))
MPIEXEC = os.environ.get("TPINFER_MPIEXEC", "mpirun")  # Open MPI's or MPICH's
NP = int(os.environ.get("TPINFER_NP", "0"))
HYDRA = b"HYDRA" in subprocess.run([MPIEXEC, "--version"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
TIMED_OUT = 124  # the status of a run that had to be ended, as timeout(1) has it

# Every process that a check starts carries this mark in its environment, so that checks that run
# side by side do not take each other's processes for leftovers.  (TPINFER_CHECK is an option.)
MARK = f"CHECK_OF_TPINFER={uuid.uuid4().hex}"

DEFAULTS = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1", "OMPI_MCA_mpi_yield_when_idle": "1",
            "OMP_NUM_THREADS": "1"}

Result = collections.namedtuple("Result", "status stdout stderr seconds")


def environment(extra=None):
    """The environment of a run; a value None in `extra` removes a variable."""
    result = {**DEFAULTS, **os.environ}
    result.update([MARK.split("=")])
    for name, value in (extra or {}).items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = str(value)
    return result


def _launcher_words(words):
    """Words for the launcher as Open MPI's takes them; MPICH's sets variables by other words."""
    result = list(words)
    while HYDRA and "-x" in result:
        at = result.index("-x")
        name, _, value = result[at + 1].partition("=")
        result[at:at + 2] = ["-env", name, value or os.environ.get(name, "")]
    return result


def command(args, np=None, program="tpinfer", launcher=(), prefix=()):
    """The command line of `program` on np ranks, with more arguments for the launcher if need be,
    such as ("-x", "LD_PRELOAD=..."), and a command in front that starts it all. np=0 starts the
    program without a launcher."""
    np = NP if np is None else np
    crowd = ["-bind-to", "none"] if HYDRA else ["--oversubscribe", "--bind-to", "none"]
    front = [MPIEXEC, *_launcher_words(launcher), "-n", str(np), *crowd]
    return [*prefix, *(front if np > 0 else []), str(BIN / program), *map(str, args)]


def start(args, np=None, env=None, program="tpinfer", launcher=(), prefix=(), **options):
    """A running program (subprocess.Popen), for checks that disturb it; end it with finish()."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
               **options}
    return subprocess.Popen(command(args, np, program, launcher, prefix), env=environment(env),
                            **options)


def finish(process, timeout=60, started=None):
    """Waits for a started program: its Result. After `timeout` seconds everything that this check
    started is killed, and the status is TIMED_OUT. A signal is shown as a shell does, 128 + n."""
    started = time.monotonic() if started is None else started
    try:
        out, err = process.communicate(timeout=timeout)
        status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    except subprocess.TimeoutExpired:
        kill_our_processes()
        out, err = process.communicate()
        status = TIMED_OUT
    text = [part if isinstance(part, str) else (part or b"").decode(errors="replace")
            for part in (out, err)]
    return Result(status, *text, time.monotonic() - started)


def run(args, np=None, env=None, timeout=60, program="tpinfer", launcher=(), prefix=(), **options):
    """Runs a program to its end: Result(status, stdout, stderr, seconds)."""
    started = time.monotonic()
    return finish(start(args, np, env, program, launcher, prefix, **options), timeout, started)


def tpinfer_lines(stderr):
    """Our own lines; launchers add theirs."""
    return [line for line in stderr.splitlines() if line.startswith("tpinfer: ")]


def read_proc(path):
    """Text of a file under /proc; empty when the process has gone or is a zombie."""
    try:
        return pathlib.Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


def our_processes():
    """Ids of the living processes that this check started. Zombies do not count."""
    pids = [int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids
            if pid != os.getpid() and MARK in read_proc(f"/proc/{pid}/environ").split("\0")]


def kill_our_processes():
    for pid in our_processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def rank_pids(program="tpinfer"):
    """{rank: process id} of the ranks that run now."""
    result = {}
    for pid in our_processes():
        if read_proc(f"/proc/{pid}/comm").strip() == program[:15]:
            for entry in read_proc(f"/proc/{pid}/environ").split("\0"):
                if entry.startswith("PMI_RANK=" if HYDRA else "OMPI_COMM_WORLD_RANK="):
                    result[int(entry.split("=")[1])] = pid
    return result
