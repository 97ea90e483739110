#!/usr/bin/python3
# ranks: none
"""One node of Slurm: srun, sbatch with our job scripts, mpirun inside a job, exit codes, scancel."""
from jobs import *
from cluster import KILL_WAIT, Cluster


@check
def srun_on_1_3_and_4_ranks(folder):
    files(folder)
    with Cluster() as slurm:
        for ranks in (1, 3, 4):
            result = slurm.run(*SRUN, "-n", ranks, TPINFER, *arguments(folder))
            equal(hashes(result), {"y": HASH}, f"hash on {ranks} ranks")
            contains(result.stderr, f"tpinfer: {ranks} rank", "who runs")
            contains(result.stderr, f"equal on {ranks}/{ranks} ranks", "ranks")
            output_is_whole(folder / "y.npy")
            (folder / "y.npy").unlink()


@check
def the_job_scripts_for_one_node_and_for_an_array(folder):
    files(folder)
    for i in range(3):
        np.save(folder / f"x-{i}.npy", np.full((4, 96), i + 1, np.float32))
    with Cluster() as slurm:
        job = submit(slurm, folder, "one-node.sbatch")
        array = slurm.sbatch("--array=0-2", "--output", folder / "%a.log",
                             SCRIPTS / "array.sbatch", folder / "m.h5", folder / "x-{}.npy",
                             folder / "y-{}.npy", "--quiet", env={"TPINFER": TPINFER})
        done = slurm.wait(job)
        equal((done["JobState"], done["ExitCode"]), ("COMPLETED", "0:0"), "one-node.sbatch")
        contains(log_of(folder), f"sha256 {HASH} equal on 4/4 ranks", "the log")
        output_is_whole(folder / "y.npy")
        for i in range(3):
            equal(slurm.wait(f"{array}_{i}")["JobState"], "COMPLETED", f"array.sbatch, job {i}")
            equal(sha256(np.load(folder / f"y-{i}.npy")), sha256(filled(-48 * (i + 1), 4, 16)),
                  f"output {i}")
        missing = slurm.sbatch("--output", folder / "none.log", SCRIPTS / "one-node.sbatch",
                               folder / "m.h5")
        equal(slurm.wait(missing)["JobState"], "FAILED", "without its arguments")


@check
def mpirun_inside_a_job_takes_the_allocation(folder):
    files(folder)
    script = folder / "job.sh"
    script.write_text("#!/bin/bash\nmpirun -q --bind-to none "
                      f"{TPINFER} {' '.join(map(str, arguments(folder)))}\n")
    with Cluster() as slurm:
        job = slurm.sbatch("--ntasks=3", "--output", folder / "job.log", script)
        equal(slurm.wait(job)["JobState"], "COMPLETED", "state")
        contains(log_of(folder), f"sha256 {HASH} equal on 3/3 ranks", "the log")


@check
def exit_codes_through_srun(folder):
    files(folder)
    (folder / "text.h5").write_text("no model")
    with Cluster() as slurm:
        def status(*extra, fault="", model="m.h5"):
            return slurm.run(*SRUN, "-n", 4, TPINFER, *arguments(folder, model=model), "--quiet",
                             *extra, env={"TPINFER_FAULT": fault} if fault else None)
        refused(status(model="text.h5"), 65, "not an HDF5 file")
        refused(status(model="none.h5"), 66, "none.h5")
        refused(status("--nonsense"), 64, "nonsense")
        killed = status(fault="step:2:3:kill")
        expect(killed.status in (137, 143), f"a killed rank: status {killed.status}")
        expect(killed.seconds < KILL_WAIT + 3, f"a killed rank: {killed.seconds:.1f} s")
        early = status(fault="start:2:1:kill")
        expect(early.status in (137, 143), f"killed before MPI_Init: status {early.status}")
        expect(early.seconds < 5, f"killed before MPI_Init: {early.seconds:.1f} s")
        refused(status("--timeout", 2, fault="step:2:3:hang"), 75, "rank 2", "has not moved")
        refused(status(fault="step:2:3:throw"), 70, "rank 2")
        equal((folder / "y.npy").exists(), False, "an output appeared")


@check
def srun_without_pmix_is_refused_with_the_remedy(folder):
    files(folder)
    with Cluster() as slurm:
        for kind in ("none", "pmi2"):
            for ranks in (1, 3):
                result = slurm.run("srun", f"--mpi={kind}", "-n", ranks, TPINFER,
                                   *arguments(folder))
                refused(result, 78, "wrong launcher", "srun --mpi=pmix")
                equal((folder / "y.npy").exists(), False, "an output appeared")


@check
def scancel_and_its_signals_end_a_run_in_order(folder):
    files(folder)
    with Cluster() as slurm:
        job = submit(slurm, folder, "one-node.sbatch", env=SLOW)
        wait_for_rows(slurm, job)
        slurm.run("scancel", "--signal=USR1", job)
        done = slurm.wait(job)
        equal((done["JobState"], done["ExitCode"]), ("FAILED", "75:0"), "after USR1")
        contains(log_of(folder), "ended by signal 10 after ", "the log")
        (folder / "job.log").unlink()
        job = submit(slurm, folder, "one-node.sbatch", env=SLOW)
        wait_for_rows(slurm, job)
        started = time.monotonic()
        slurm.run("scancel", job)
        slurm.wait(job, ("CANCELLED",), condition=lambda _: not step_pids())
        expect(time.monotonic() - started < 8, "scancel: longer than 8 s")
        contains(log_of(folder), "ended by signal 15 after ", "the log")
        equal((folder / "y.npy").exists(), False, "an output appeared")


main()
