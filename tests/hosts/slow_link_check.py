#!/usr/bin/python3
# ranks: none
"""A slow link between hosts, 10 Mbit/s with a delay of 2 ms and a loss of 1 %: the same bits, and no
false alarm of the watchdog."""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))

from hosts import Hosts
from network import write_network

from answers import hashes
from harness import *

import numpy as np

LONG = bool(os.environ.get("TPINFER_LONG_TESTS"))
LINK = {"mbit": 10, "delay-ms": 2, "loss-percent": 1}


@check
def the_same_bits_over_a_slow_link(folder):
    model = write_network(folder, rows=400)
    given = ["--model", model, "--input", folder / "x.npy"]
    want = hashes(run(given, np=1))
    for link in (LINK, {"delay-ms": 20}, {"mbit": 1}, {"loss-percent": 5}) if LONG else (LINK,):
        with Hosts(3, link) as hosts:
            for more in (["--batch-size", 10], ["--batch-size", 50, "--mesh", "pp=3,dp=2"]):
                result = run([*given, *more, "--timeout", 5, "--output", folder / "y.npy"], np=6,
                             timeout=120, **hosts.launch(2))
                equal(hashes(result), want, f"{link} {more}; {result.stderr}")
                equal(np.load(folder / "y.npy").shape, (400, 10), "output")
                print(f"{link} {more[-1]}: {result.seconds:.1f} s", flush=True)
        no_leftovers(folder)


main()
