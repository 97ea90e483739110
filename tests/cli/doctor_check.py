#!/usr/bin/python3
# ranks: 1 3
"""tpinfer --doctor says how the program was started and what is wrong with it, with remedies."""
import os
import resource
import shutil

from harness import *


def findings(result):
    """{topic: [(verdict, text)]} of a doctor's lines."""
    found = {}
    for line in result.stdout.splitlines()[:-1]:
        verdict, rest = line[:8].strip(), line[9:]
        topic, _, text = rest.partition(": ")
        found.setdefault(topic, []).append((verdict, text))
    return found


def says(result, verdict, topic, *parts):
    texts = [text for v, text in findings(result).get(topic, []) if v == verdict]
    expect(any(all(str(part) in text for part in parts) for text in texts),
           f"no {verdict} of {topic} with {parts} in {result.stdout}{result.stderr}")


@check
def a_sound_launch_is_ok(folder):
    result = run(["--doctor"], env={"OMP_NUM_THREADS": None})
    equal(result.status, 0, f"status; {result.stdout}{result.stderr}")
    equal(result.stderr, "", "stderr")
    says(result, "ok", "launcher", "mpirun (Open MPI) with PMIx", f"{NP} rank")
    says(result, "ok", "hosts", f"{NP} rank", "on 1 host: ")
    says(result, "ok", "program", "tpinfer ", "Open MPI ", "HDF5 ")
    says(result, "ok", "threads", '"multiple"')
    says(result, "ok", "signals", "1 s from mpirun's SIGTERM")
    says(result, "ok", "root" if os.geteuid() == 0 else "launcher")
    for topic in ("processor", "shared memory", "memory", "open files", "cores"):
        expect(topic in findings(result), f"nothing about {topic}")
    expect(result.stdout.splitlines()[-1].startswith("doctor: 0 problems, "), "the last line")
    no_leftovers(folder)


@check
def without_a_launcher(folder):
    result = run(["--doctor"], np=0, env={"OMPI_ALLOW_RUN_AS_ROOT": None})
    equal(result.status, 0, "status")
    says(result, "ok", "launcher", "no launcher, 1 rank")
    if os.geteuid() == 0:
        says(result, "warning", "root", "OMPI_ALLOW_RUN_AS_ROOT=1")


@check
def singletons_of_another_launcher(folder):
    if shutil.which("mpiexec.hydra") is None:
        raise Skipped("no mpiexec.hydra; install mpich")
    result = run(["--doctor"], np=0, prefix=["mpiexec.hydra", "-n", "2"])
    equal(result.status, 78, "status")
    says(result, "problem", "launcher", "PMI_SIZE=2", "Open MPI", "counts 1 rank",
         "start this program with the launcher of Open MPI")
    equal(result.stdout.count("problem "), 1, f"problems in {result.stdout}")
    contains(result.stdout, "doctor: 1 problem, ", "the last line")


@check
def too_few_cores(folder):
    taskset = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
    one = run(["--doctor"], prefix=taskset, env={"OMP_NUM_THREADS": None})
    equal(one.status, 0, "status: a warning is no problem")
    if NP > 1:
        says(one, "warning", "cores", f"{NP} ranks of 1 thread", "more threads than cores")
    else:
        expect("warning" not in [v for v, _ in findings(one)["cores"]], "one rank on one core")
    wanted = run(["--doctor", "--threads", 4], prefix=taskset)
    says(wanted, "warning", "cores", "4 threads per rank are wanted", "may use 1 core",
         "mpirun --map-by slot:PE=4, srun --cpus-per-task=4")
    if os.sysconf("SC_NPROCESSORS_ONLN") > 1:
        write_model(folder / "m.h5", {
            "inputs": [{"name": "x", "dtype": "float32", "shape": [4]}], "outputs": ["y"],
            "nodes": [{"op": "Neg", "inputs": ["x"], "outputs": ["y"]}]})
        ordinary = run(["--model", folder / "m.h5", "--threads", 4], prefix=taskset)
        equal(ordinary.status, 0, "status of a run")
        contains(ordinary.stderr, "srun --cpus-per-task=4", "the log of a run")


@check
def limits_and_settings(folder):
    few = run(["--doctor"], preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    says(few, "warning", "open files", "at most 200 per rank", "ulimit -n 1024")
    small = run(["--doctor"], preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY)))
    says(small, "warning", "memory", "limited to 4.0 GiB per rank", "ulimit -v unlimited")
    slow = run(["--doctor"], env={"OMPI_MCA_btl": "self,tcp",
                                  "OMPI_MCA_odls_base_sigkill_timeout": "7"})
    says(slow, "warning", "settings", "btl=self,tcp", "add vader")
    says(slow, "ok", "signals", "have 7 s")
    contains(findings(slow)["settings"][0][1], "odls_base_sigkill_timeout=7", "settings")


@check
def different_programs_on_different_ranks(folder):
    other = folder / "tpinfer"
    shutil.copy2(BIN / "tpinfer", other)
    with open(other, "ab") as file:
        file.write(b"x")
    result = run(["--doctor"], np=1, launcher=("-n", "1", "--oversubscribe", str(other), "--doctor",
                                               ":"))
    equal(result.status, 78, f"status; {result.stderr}")
    says(result, "problem", "program", "different builds", "rank 0 on", "rank 1 on",
         "install the same build on all hosts")


main()
