#!/usr/bin/python3
# ranks: none
"""The time limit of a Slurm job: the run ends before it, in order, and goes on in the next start. Only
in the long form: Slurm counts in minutes."""
from jobs import *
from cluster import Cluster


@check
def a_signal_before_the_limit(folder):
    only_in_the_long_form()
    with Cluster() as slurm:
        whole = undisturbed(slurm, folder)
        job = submit(slurm, folder, "requeue.sbatch", options=("--time=1", "--signal=USR1@50"),
                     env={"TPINFER_FAULT": "step:1:*:slow(1500)"})
        done = slurm.wait(job, condition=lambda job: job["Restarts"] != "0", seconds=200)
        equal(done["JobState"], "COMPLETED", "in the end")
        contains(log_of(folder), "signal 10", "the log")
        went_on(folder, whole, "time limit, --signal=USR1@50")


@check
def tpinfer_watches_the_limit_itself(folder):
    only_in_the_long_form()
    with Cluster() as slurm:
        whole = undisturbed(slurm, folder)
        job = submit(slurm, folder, "requeue.sbatch", "--stop-after", "auto-45s",
                     options=("--time=1", "--signal=CONT@1"), env={"TPINFER_FAULT": "step:1:*:slow(1500)"})
        done = slurm.wait(job, condition=lambda job: job["Restarts"] != "0", seconds=200)
        equal(done["JobState"], "COMPLETED", "in the end")
        went_on(folder, whole, "time limit, --stop-after auto-45s")


main()
