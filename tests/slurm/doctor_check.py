#!/usr/bin/python3
# ranks: none
"""tpinfer --doctor, and what an ordinary start says, under Slurm's ways to start a program."""
import re

from jobs import *
from cluster import Cluster


@check
def what_the_doctor_says_under_srun(folder):
    with Cluster(nodes=2, cores=2) as slurm:
        result = slurm.run(*SRUN, "-N", 2, "-n", 4, TPINFER, "--doctor")
        equal(result.status, 0, f"status; {result.stdout}{result.stderr}")
        for line in ("ok       launcher: srun with PMIx, 4 ranks\n",
                     "ok       hosts: 4 ranks on 2 hosts: n1 2, n2 2\n", ", step 0, 4 tasks on n[1-2]",
                     ", the same on all ranks\n", " n2: /dev/shm has "):
            contains(result.stdout, line, "the doctor's text")
        expect("fence" not in result.stdout, f"it starts well: {result.stdout}")
        for kind in ("none", "pmi2"):
            for ranks in (1, 2):
                result = slurm.run("srun", f"--mpi={kind}", "-n", ranks, TPINFER, "--doctor")
                equal(result.status, 78, f"status of --mpi={kind}")
                contains(result.stdout, "problem  launcher: wrong launcher: srun started this step "
                         f"with{'out PMI' if kind == 'none' else ' --mpi=pmi2'}, which Open MPI",
                         "the doctor's text")
                contains(result.stdout, "; use srun --mpi=pmix", "the remedy")
                contains(result.stdout, "doctor: 1 problem, ", "the last line")
        slurm.run("mount", "-o", "remount,size=8m", "/dev/shm", host="n2")
        result = slurm.run(*SRUN, "-N", 2, "-n", 4, TPINFER, "--doctor",
                           env={"OMPI_MCA_btl": "self,tcp"})
        contains(result.stdout, "warning  shared memory: n2: /dev/shm has ", "a small /dev/shm")


@check
def a_fence_that_may_end_too_early(folder):
    files(folder)
    with Cluster() as slurm:
        # One node that believes to be one of two: on two it might die of what is warned of.
        step = ("srun", "--mpi=pmix", "-n", 2, "env", "SLURM_STEP_NUM_NODES=2")
        for fence, warned in (((), 1), (("SLURM_PMIX_FENCE=ring",), 0),
                              (("SLURM_PMIX_FENCE=tree",), 1)):
            result = slurm.run(*step, *fence, TPINFER, "--doctor")
            equal(result.status, 0, "a warning is no problem")
            equal(result.stdout.count("warning  fence: srun on 2 nodes: "), warned, f"{fence}")
            equal(result.stdout.count("; export SLURM_PMIX_FENCE=ring\n"), warned, "remedy")
        result = slurm.run(*step, TPINFER, *arguments(folder))
        equal(result.status, 0, "an ordinary run")
        expect("fence" not in result.stderr, f"has started, and is not told: {result.stderr}")


@check
def time_left_and_a_forgotten_launcher(folder):
    files(folder)
    script = folder / "job.sh"
    script.write_text(f"#!/bin/bash\n{TPINFER} --doctor\necho status $?\n"
                      f"{TPINFER} {' '.join(map(str, arguments(folder)))}\n"
                      f"srun --mpi=pmix {TPINFER} --doctor | grep slurm\n")
    with Cluster() as slurm:
        job = slurm.sbatch("--ntasks=3", "--time=10", "--output", folder / "job.log", script)
        equal(slurm.wait(job)["JobState"], "COMPLETED", "state")
        text = log_of(folder)
        where = f"warning  slurm: job {job}, outside of its steps, 3 tasks on n1, 0:"
        expect(re.search(where + r"(10:00|09:\d\d) left; started", text), f"no {where} in {text}")
        contains(text, "started without a launcher, so there is 1 rank; write srun --mpi=pmix", "it")
        contains(text, "status 0", "a warning is no problem")
        contains(text, "tpinfer: warning: slurm: job ", "the ordinary run")
        step = f"ok       slurm: job {job}, step 0, 3 tasks on n1, 0:"
        expect(re.search(step + r"(10:00|09:\d\d) left", text), f"no {step} in {text}")


main()
