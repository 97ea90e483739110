#!/usr/bin/python3
# ranks: 1
"""Options that do not go with --requests, or not without it."""
import json

from answers import STREAMED, filled
from harness import *


@check
def options_that_do_not_go_together(folder):
    def alone(arguments):
        return run(arguments, np=0)
    write_model(folder / "m.h5", {"matmul": STREAMED}, {"w": filled(0.5)})
    arguments = ["--model", folder / "m.h5"]
    requests = folder / "r.jsonl"
    requests.write_text(json.dumps({"id": 1, "inputs": {"x": "ones"}}) + "\n")
    for more in (["--input", "x=ones"], ["--labels", "l.npy"], ["--repeat", "2"], ["--check"]):
        refused(alone([*arguments, "--requests", requests, *more]), 64, "--requests")
    refused(alone([*arguments, "--requests", requests, "--compat-log"]), 64, "--compat-log")
    for name in ("--requests", "--graph", "--method"):
        refused(alone([*arguments, name, ""]), 64, name, "empty")
    for more in (["--batch", "0"], ["--max-queue", "0"], ["--max-request", "x"]):
        refused(alone([*arguments, "--requests", requests, *more]), 64, more[0])
    refused(alone([*arguments, "--batch", "2"]), 64, "--batch")
    refused(alone([*arguments, "--requests", requests, "--output", "{rank}.jsonl"]), 64, "--output")
    refused(alone([*arguments, "--requests", folder / "none"]), 66, "none")
    refused(alone([*arguments, "--requests", folder]), 66, "regular")
    refused(alone([*arguments, "--requests", "/dev/null"]), 66, "named pipe")
    refused(alone([*arguments, "--requests", requests, "--output", folder / "no/such"]), 73, "no/such")
    refused(alone([*arguments, "--requests", requests, "--graph", "nope"]), 65, "nope", "matmul")
    result = alone([*arguments, "--requests", requests, "--dry-run"])
    equal((result.status, result.stdout), (0, ""), "a dry run")


main()
