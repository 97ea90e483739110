#!/usr/bin/python3
# ranks: none
"""Long runs under Slurm: requeue, preemption and a node that dies; each goes on where it stopped, and
the final file is that of an undisturbed run."""
from jobs import *
from cluster import Cluster


@check
def a_drained_job_puts_itself_back_into_the_queue(folder):
    with Cluster() as slurm:
        whole = undisturbed(slurm, folder)
        job = submit(slurm, folder, "requeue.sbatch", env=SLOW)
        wait_for_rows(slurm, job)
        slurm.run("scancel", "--signal=USR1", job)
        done = slurm.wait(job, condition=lambda job: job["Restarts"] == "1", seconds=90)
        equal((done["JobState"], done["ExitCode"]), ("COMPLETED", "0:0"), "in the end")
        went_on(folder, whole, "scancel --signal=USR1")


@check
def a_job_that_gets_nowhere_is_not_put_back(folder):
    with Cluster() as slurm:
        undisturbed(slurm, folder)
        job = submit(slurm, folder, "requeue.sbatch", "--stop-after", "0s", env=SLOW)
        done = slurm.wait(job)
        equal((done["JobState"], done["ExitCode"], done["Restarts"]), ("FAILED", "75:0", "0"), "job")
        contains(log_of(folder), "no progress since the start", "the log")


@check
def a_job_of_more_importance_comes(folder):
    only_in_the_long_form()
    with Cluster() as slurm:
        whole = undisturbed(slurm, folder)
        job = submit(slurm, folder, "requeue.sbatch", options=("--exclusive",), env=SLOW)
        wait_for_rows(slurm, job)
        urgent = slurm.sbatch("-p", "high", "--exclusive", "--output", folder / "urgent.log",
                              "--wrap", "sleep 3; echo urgent work is done")
        equal(slurm.wait(urgent)["JobState"], "COMPLETED", "the urgent job")
        done = slurm.wait(job, condition=lambda job: job["Restarts"] == "1", seconds=90)
        equal((done["JobState"], done["ExitCode"]), ("COMPLETED", "0:0"), "in the end")
        contains(log_of(folder), "signal 15", "the log")
        went_on(folder, whole, "preemption")


@check
def a_node_that_dies(folder):
    only_in_the_long_form()
    with Cluster(nodes=3) as slurm:
        whole = undisturbed(slurm, folder)
        job = submit(slurm, folder, "requeue.sbatch", "--save-every", "0",
                     options=("--nodes=2", "--ntasks=4", "--exclude=n1"), env=SLOW)
        wait_for_rows(slurm, job)
        slurm.kill_node("n3")
        slurm.wait(job, ("PENDING", "RUNNING"), condition=lambda job: job["Restarts"] == "1",
                   seconds=120)
        slurm.start_slurmd("n3")
        done = slurm.wait(job, seconds=120)
        equal((done["JobState"], done["ExitCode"]), ("COMPLETED", "0:0"), "in the end")
        went_on(folder, whole, "a node that died")


main()
