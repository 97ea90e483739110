#!/usr/bin/python3
# ranks: 4
# serial
"""Loading takes the memory of a rank's share and little more: the peak beyond the one after MPI_Init
is at most shard + activations + 32 MiB. File mappings (libraries that are touched later) count in,
so that the bound is held even without that excuse."""
import os

from answers import report
from checkpoints import sparse_model
from harness import *

ALLOWED = 32 << 20


def check_peak(folder, model, what):
    result = run(["--model", model, "--input", "ones", "--report", folder / "r.json"], timeout=250)
    equal(result.status, 0, f"status of {what}; {result.stderr}")
    for number, rank in enumerate(report(folder / "r.json")["rank"]):
        more = (rank["peak_resident_bytes"] - rank["resident_bytes_at_start"]
                - rank["weight_bytes"] - rank["activation_bytes"])
        if number == 0:
            print(f"{what}: {rank['weight_bytes'] / 2**20:.0f} MiB of weights per rank, "
                  f"{more / 2**20:.1f} MiB beside them")
        expect(rank["weight_bytes"] > 0 and 0 < rank["resident_bytes_at_start"], "figures")
        expect(more <= ALLOWED, f"{what}: rank {number} takes {more} bytes beside its share")


@check
def a_large_model(folder):
    size = 8192 if os.environ.get("TPINFER_LONG_TESTS") else 2048
    sparse_model(folder / "m.h5", size)
    expect((folder / "m.h5").stat().st_size >= size << 20, "size of the model")
    check_peak(folder, folder / "m.h5", f"{size} MiB in one file")


@check
def other_ways_to_store_it(folder):
    sparse_model(folder / "turned.h5", 512, transposed=True)
    check_peak(folder, folder / "turned.h5", "transposed weights")
    sparse_model(folder / "half.h5", 256, dtype="f2")
    check_peak(folder, folder / "half.h5", "float16")
    made = run(["shard", folder / "turned.h5", "-n", "3", "-o", folder / "set"], np=0,
               program="tpmodel")
    equal(made.status, 0, f"status of shard; {made.stderr}")
    check_peak(folder, folder / "set", "3 files, transposed")


main()
