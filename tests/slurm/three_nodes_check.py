#!/usr/bin/python3
# ranks: none
"""Three nodes of Slurm: the same bits as on one, by srun, by our job script, by mpirun in a job."""
from jobs import *
from cluster import Cluster


@check
def three_nodes_with_two_ranks_each(folder):
    files(folder)
    with Cluster(nodes=3, cores=2) as slurm:
        one = slurm.run(*SRUN, "-N", 1, "-n", 2, TPINFER, *arguments(folder, output="one.npy"))
        three = slurm.run(*SRUN, "-N", 3, "-n", 6, TPINFER, *arguments(folder))
        equal(hashes(one), {"y": HASH}, "hash on one node")
        equal(hashes(three), {"y": HASH}, "hash on three nodes")
        contains(three.stderr, "tpinfer: 6 ranks on 3 nodes", "who runs")
        equal((folder / "y.npy").read_bytes(), (folder / "one.npy").read_bytes(), "the files")

        job = submit(slurm, folder, "many-nodes.sbatch", options=("--nodes=3",), output="job.npy")
        equal(slurm.wait(job)["JobState"], "COMPLETED", "many-nodes.sbatch")
        contains(log_of(folder), f"sha256 {HASH} equal on 6/6 ranks", "its log")
        output_is_whole(folder / "job.npy")

        script = folder / "job.sh"
        script.write_text("#!/bin/bash\nmpirun -q --bind-to none "
                          f"{TPINFER} {' '.join(map(str, arguments(folder, output='m.npy')))}\n")
        job = slurm.sbatch("--nodes=3", "--ntasks-per-node=2", "--output", folder / "m.log", script)
        equal(slurm.wait(job)["JobState"], "COMPLETED", "mpirun in a job")
        contains((folder / "m.log").read_text(), "6 ranks on 3 nodes", "its log")
        output_is_whole(folder / "m.npy")


@check
def faults_on_three_nodes(folder):
    only_in_the_long_form()
    files(folder)
    with Cluster(nodes=3, cores=2) as slurm:
        def status(*extra, fault):
            return slurm.run(*SRUN, "-N", 3, "-n", 6, TPINFER, *arguments(folder), "--quiet",
                             *extra, env={"TPINFER_FAULT": fault})
        killed = status(fault="step:5:3:kill")
        expect(killed.status in (137, 143), f"a killed rank: status {killed.status}")
        expect(killed.seconds < 15, f"a killed rank: {killed.seconds:.1f} s")
        refused(status("--timeout", 2, fault="step:5:3:hang"), 75, "rank 5 on n3", "has not moved")
        refused(status(fault="load weights:4:1:error"), 65, "rank 4 on n3")
        equal((folder / "y.npy").exists(), False, "an output appeared")


main()
