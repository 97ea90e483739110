"""The whole program on a generated network: one process per measurement, all kinds in turn."""
import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile

from make_model import write_mlp


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way to run the network."""
    name: str
    ranks: int
    threads: int
    options: tuple = ()

    @property
    def is_exact(self):
        return "--fast" not in self.options


@dataclasses.dataclass(frozen=True)
class Effort:
    widths: tuple
    repeats: dict  # batch -> repetitions inside a process, of which the fastest counts
    rounds: int


FULL = Effort((1024, 4096, 4096, 1024), {1: 20, 64: 4}, 11)
QUICK = Effort((32, 64, 64, 32), {1: 2, 64: 2}, 2)


def kinds_and_pairs(ranks):
    """What is run, and which names are compared: (time of the first over time of the second)."""
    one = Kind("1 rank", 1, 1)
    one_fast = Kind("1 rank --fast", 1, 1, ("--fast",))
    many = Kind(f"{ranks} ranks", ranks, 1)
    fast = Kind(f"{ranks} ranks --fast", ranks, 1, ("--fast",))
    blas = Kind(f"{ranks} ranks blas", ranks, 1, ("--kernels", "blas"))
    blas_fast = Kind(f"{ranks} ranks blas --fast", ranks, 1, ("--kernels", "blas", "--fast"))
    threads = Kind(f"1 rank, {ranks} threads", 1, ranks)
    if ranks == 1:
        blas = dataclasses.replace(blas, name="1 rank blas")
        blas_fast = dataclasses.replace(blas_fast, name="1 rank blas --fast")
        pairs = [(one, one_fast), (blas, blas_fast), (blas, one)]
    else:
        pairs = [(many, one), (many, threads), (one, one_fast), (many, fast), (blas, blas_fast),
                 (blas, many)]
    kinds = list(dict.fromkeys(kind for pair in pairs for kind in pair))
    return kinds, pairs


def run(kind, binaries, mpirun, model, batch, repeat):
    """(seconds of the fastest repetition, the output's hash) of one process group."""
    report = model.parent / "report.json"
    # A launcher binds one rank to one core, where its threads would share it.
    binding = ["--bind-to", "none"] if kind.threads > 1 else []
    command = [mpirun, "-n", str(kind.ranks), *binding, str(binaries / "tpinfer"),
               "--model", str(model), "--input", f"x={model.parent}/x{batch}.npy",
               "--threads", str(kind.threads), "--repeat", str(repeat), "--print-head", "0",
               "--quiet", "--report", str(report), *kind.options]
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("TPINFER_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    result = json.loads(report.read_text())
    return result["run_seconds"], result["outputs"][0]["sha256"]


def measure(binaries, mpirun, ranks, effort):
    """(rows with ratios, {batch: hash}). Raises RuntimeError if exact runs differ in any bit."""
    kinds, pairs = kinds_and_pairs(ranks)
    rows, hashes = [], {}
    with tempfile.TemporaryDirectory(prefix="tpinfer-bench-") as folder:
        model = write_mlp(pathlib.Path(folder), effort.widths, effort.repeats)
        for batch, repeat in effort.repeats.items():
            seconds = {kind: [] for kind in kinds}
            for turn in range(effort.rounds):
                first = turn % len(kinds)
                for kind in kinds[first:] + kinds[:first]:
                    time, output = run(kind, binaries, mpirun, model, batch, repeat)
                    seconds[kind].append(time)
                    if kind.is_exact and hashes.setdefault(batch, output) != output:
                        raise RuntimeError(f"batch {batch}: {kind.name} gives {output}, "
                                           f"others {hashes[batch]}")
            size = f"MLP {'-'.join(map(str, effort.widths))}, batch {batch}"
            rows += [{"what": a.name, "against": b.name, "size": size,
                      "ratios": [x / y for x, y in zip(seconds[a], seconds[b])]}
                     for a, b in pairs]
    return rows, hashes
