#!/usr/bin/python3
# ranks: 2 4
"""--instances: copies of the model that share a batch; --compat-log: the messages of workers."""
import os
import re
import signal
import time

import numpy as np

from answers import *
from harness import *

MODEL = SOURCE / "examples/fashion_mnist.h5"
SIX_LINES = (r"Success to build model 0\nSuccess to build model 1\n"
             r"Total predict time =  \d[\d.e-]*\n"
             r"Receive exit message  and start to exit\nReceive exit message  and start to exit\n"
             r"=========== success ===========\n")


def diffusion(folder, rows, batch):
    """The three inputs of a diffusion model: latent, a scalar time step, the prompt."""
    rng = np.random.default_rng(3)
    write_model(folder / f"m{batch}.h5",
                graph({"sample": [batch, 4, 64, 64], "timestep": [],
                       "encoder_hidden_states": [batch, 77, 1024]}, "out",
                      node("Flatten", "sample", "flat"), node("MatMul", "flat latent", "a"),
                      node("MatMul", "encoder_hidden_states prompt", "tokens"),
                      node("ReduceMean", "tokens", "b", axes=[1], keepdims=0),
                      node("Mul", "b timestep", "c"), node("Add", "a c", "out")),
                {"latent": rng.standard_normal((16384, 24), np.float32),
                 "prompt": rng.standard_normal((1024, 24), np.float32)})
    arguments = ["--model", folder / f"m{batch}.h5"]
    for name, shape in (("sample", (rows, 4, 64, 64)), ("encoder_hidden_states", (rows, 77, 1024)),
                        ("timestep", ())):
        np.save(folder / f"{name}.npy", np.asarray(rng.standard_normal(shape), np.float32)
                if shape else np.float32(50))
        arguments += ["-i", f"{name}={folder / name}.npy"]
    return arguments


@check
def the_batch_is_divided_and_joined(folder):
    """A-60, A-61, A-62; extents may be fixed or symbols."""
    for batch in (2, "batch"):
        arguments = diffusion(folder, 2, batch)
        want = hashes(run(arguments, np=1))
        for rank_mesh in ([], ["--mesh", f"tp={NP // 2}"], ["--mesh", f"dp=2,pp={NP // 2}"]):
            result = run([*arguments, "--instances", "2", *rank_mesh, "-o", folder / "y.npy"])
            equal(hashes(result), want, f"batch {batch} {rank_mesh}")
            contains(result.stderr, f"2 instances of {NP // 2} rank", "the story")
            contains(result.stderr, "each gets sample (1,4,64,64) 65536 bytes, timestep () 4 bytes, "
                                    "encoder_hidden_states (1,77,1024) 315392 bytes", "shares")
        equal(sha256(np.load(folder / "y.npy")), want["out"], "the joined output")
    three = diffusion(folder, 3, "batch")
    refused(run([*three, "--instances", "2"]), 64, "batch of 3", "divisible by 2")
    equal(hashes(run([*three, "--instances", "2", "--uneven"])), hashes(run(three, np=1)), "uneven")
    refused(run([*three[:2], *diffusion(folder, 4, "batch")[2:], "--instances", "2", "--batch-size",
                 "3"]), 64, "batch of 3", "divisible by 2")


@check
def what_does_not_fit_is_refused(folder):
    arguments = ["--model", MODEL]
    refused(run([*arguments, "--instances", "3"]), 64, "--instances 3", f"{NP} ranks")
    refused(run([*arguments, "--instances", "2", "--mesh", "dp=4"]), 64, "--instances 2", "dp=4")
    refused(run([*arguments, "--instances", "2", "--mesh", f"tp={NP}"]), 64, "ranks")
    refused(run([*arguments, "--instances", "0"]), 64, "--instances")
    refused(run([*arguments, "--instances", "two"]), 64, "--instances")
    write_model(folder / "scalar.h5", graph({"x": []}, "y", node("Neg", "x", "y")))
    refused(run(["--model", folder / "scalar.h5", "--instances", "2"]), 64, "rows of a batch")
    no_leftovers(folder)


@check
def the_transcript_of_two_workers(folder):
    """A-63, A-64."""
    result = run(["--model", MODEL, "--instances", "2", "--compat-log", "--report",
                  folder / "r.json", "--repeat", "2", "-o", folder / "y.npy"])
    equal(result.status, 0, "status")
    expect(re.fullmatch(SIX_LINES, result.stdout), f"the transcript: {result.stdout!r}")
    seconds = float(re.search(r"time =  (\S+)", result.stdout)[1])
    told = report(folder / "r.json")
    expect(0 < told["run_seconds"] <= seconds and 2 * told["run_seconds"] <= seconds, "seconds")
    half = NP // 2
    equal(told["instances"],
          [{"ranks": list(range(i * half, (i + 1) * half)), "build_finish": 1, "predict": 2,
            "reply": 2, "exit": 1} for i in (0, 1)], "messages")
    result = run(["--model", MODEL, "--compat-log", "--batch-size", "2", "--report",
                  folder / "r.json"])
    equal(re.sub(r"=  \S+", "", result.stdout),
          "Success to build model 0\nTotal predict time \nReceive exit message  and start to exit\n"
          "=========== success ===========\n", "one instance")
    equal([(i["ranks"], i["predict"]) for i in report(folder / "r.json")["instances"]],
          [(list(range(NP)), 2)], "two batches")


@check
def a_worker_that_fails(folder):
    """A-65, A-66."""
    arguments = ["--model", MODEL, "--instances", "2", "--compat-log"]
    for kind, status in (("error", 65), ("oom", 71)):
        result = run(arguments, env={"TPINFER_FAULT": f"load weights:{NP - 1}:1:{kind}"})
        refused(result, status, "Failed to build model 1, exception occur: ", f"rank {NP - 1}")
        equal(result.stdout, "", "stdout")
        expect(result.seconds < 5, f"took {result.seconds} s")
        no_leftovers(folder)
    result = run([*arguments, "--check-finite"], env={"TPINFER_FAULT": "check output:*:1:error"})
    refused(result, 65, "Failed to call predict, exception occur: ")
    equal(result.stdout, "Success to build model 0\nSuccess to build model 1\n", "stdout")
    process = start([*arguments, "--repeat", "1000000"])
    equal(process.stdout.readline(), b"Success to build model 0\n", "it is up")
    time.sleep(0.2)
    killed = time.monotonic()
    os.kill(rank_pids()[NP - 1], signal.SIGKILL)
    result = finish(process)
    expect(result.status not in (0, TIMED_OUT), f"status {result.status}")
    expect(time.monotonic() - killed < 5, "seconds until it had ended")
    expect("success" not in result.stdout, "no success")
    no_leftovers(folder)


main()
