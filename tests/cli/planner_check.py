#!/usr/bin/python3
# ranks: 1 2 3 5 8
"""The planner's options: any number of ranks, idle and unequal ranks, cost tables, memory limits,
predictions beside measurements; and always the same bits."""
import json
import re

import h5py
import numpy as np

from answers import graph, hashes, node, report
from harness import *

COLUMNS = (7, 10, 48, 105, 172)


def mlp(folder, columns, name="m.h5"):
    """A row through a product, three heads of softmax and another product."""
    random = np.random.default_rng(columns)
    model = graph({"x": ["batch", columns]}, "y", node("MatMul", "x a", "p"), node("Relu", "p", "q"),
                  node("Reshape", "q heads", "h"), node("Softmax", "h", "s"),
                  node("Reshape", "s flat", "f"), node("MatMul", "f b", "r"),
                  node("Add", "r c", "y"))
    weights = {"a": random.standard_normal((columns, 3 * columns)).astype(np.float32),
               "b": random.standard_normal((3 * columns, columns)).astype(np.float32),
               "c": random.standard_normal(columns).astype(np.float32),
               "heads": np.array([0, 3, columns]), "flat": np.array([0, 3 * columns])}
    write_model(folder / name, model, weights)
    np.save(folder / f"x{columns}.npy", random.standard_normal((1, columns)).astype(np.float32))
    return ["--model", folder / name, "--input", folder / f"x{columns}.npy"]


def planned(folder, *more, ranks=None, status=0, name="m.h5"):
    result = run(["plan", folder / name, "-n", NP if ranks is None else ranks, *more], np=0,
                 program="tpmodel")
    equal(result.status, status, f"status of {more}; {result.stderr}")
    return result


def costs(folder, **changes):
    """The machine of a test: its ranks share one core, collectives are fast."""
    rows = [{"ranks": 2, "nodes": 1, "seconds": 2e-6, "bytes_per_second": 1e10}]
    table = {"format": "tpinfer costs", "version": 1, "operator_seconds": 1e-6,
             "memory_bytes_per_second": 8e9, "ranks_per_node": 0, "compute_ranks_per_node": 1,
             "memory_ranks_per_node": 1, "products": [{"rows": 1, "flops_per_second": 4e9}],
             "collectives": {kind: rows for kind in ("all-gather", "all-to-all", "all-reduce",
                                                     "reduce-scatter", "send")}}
    table.update(changes)
    (folder / "costs.json").write_text(json.dumps(table))
    return ["--costs", folder / "costs.json"]


@check
def any_number_of_ranks_over_any_extents(folder):
    for columns in COLUMNS:
        run_it = mlp(folder, columns)
        here = hashes(run(run_it))
        if NP > 1:
            equal(here, hashes(run(run_it, np=1)), f"{columns} columns on {NP} ranks and on one")
        else:
            for ranks in range(1, 17):
                plan = json.loads(planned(folder, "--json", ranks=ranks).stdout)
                held = [rank["weight_bytes"] for rank in plan["rank"]]
                equal(len(held), ranks, "ranks")
                whole = plan["weight_bytes"] / ranks
                # A rank's share of two matrices, to a grain of each: a column, or a leaf.
                grain = 4 * columns * (1 + (3 * columns + 15) // 16 + (3 * columns + 15) // 16)
                expect(max(held) <= whole + grain + 4 * columns + 8 * 8,
                       f"{columns} columns on {ranks} ranks: {held}")
    no_leftovers(folder)


@check
def ranks_that_do_not_pay_stay_idle(folder):
    run_it = mlp(folder, 172)
    usual = run(run_it)
    lines = [line for line in tpinfer_lines(usual.stderr) if "nothing to do" in line]
    equal(lines, [], "idle ranks of the usual plan")
    result = run([*run_it, "--plan", "fastest", *costs(folder), "--report", folder / "r.json"])
    equal(hashes(result), hashes(usual), "the same bits")
    lines = [line for line in tpinfer_lines(result.stderr) if "nothing to do" in line]
    idle = {1: [], 2: ["tpinfer: rank 1 has nothing to do: the mesh gives no share"]}.get(
        NP, [f"tpinfer: ranks 1 to {NP - 1} have nothing to do: the mesh gives no share"])
    equal(lines, idle, "who is idle, once")
    read = [rank["weight_bytes_read"] for rank in report(folder / "r.json")["rank"]]
    expect(all(4 * 172 * 3 * 172 > bytes for bytes in read[1:]), f"idle ranks read {read}")
    if NP > 1:
        contains(planned(folder, "--plan", "fastest", *costs(folder)).stdout,
                 idle[0].replace("tpinfer: ", "idle: "), "tpmodel plan")


@check
def unequal_ranks_get_unequal_parts(folder):
    run_it = mlp(folder, 48)
    weights = ([3] + [1] * NP)[:NP]
    text = ",".join(map(str, weights))
    result = run([*run_it, "--rank-weights", text, "--report", folder / "r.json"])
    equal(hashes(result), hashes(run(run_it, np=1)), "the same bits")
    planned_bytes = json.loads(planned(folder, "--json", "--rank-weights", text).stdout)["rank"]
    read = [rank["weight_bytes_read"] for rank in report(folder / "r.json")["rank"]]
    equal(read, [rank["weight_bytes"] for rank in planned_bytes], "bytes read")
    if NP > 1:
        expect(any(f"tp {NP} ({':'.join(map(str, weights))})" in line
                   for line in tpinfer_lines(result.stderr)), f"the shares: {result.stderr}")
        matrices = [bytes - 4 * 48 - 8 * 5 for bytes in read]
        grain = 4 * 48 * 9
        expect(all(abs(matrices[0] - 3 * bytes) <= 6 * grain for bytes in matrices[1:]),
               f"3 to 1: {matrices}")
    if NP == 3:
        idle = run([*run_it, "--rank-weights", "1,0,1"])
        equal(hashes(idle), hashes(result), "the same bits with an idle rank")
        contains(idle.stderr, "tpinfer: rank 1 has nothing to do: the mesh gives no share", "idle")


@check
def wrong_cost_tables_are_refused(folder):
    run_it = mlp(folder, 10)
    good = json.loads((costs(folder)[1]).read_text())
    wrong = {"speed.json": ({**good, "speed": 1}, 'unknown key "speed"'),
             "rate.json": ({**good, "memory_bytes_per_second": -8e9},
                           '"memory_bytes_per_second" is -8'),
             "rows.json": ({**good, "products": []}, '"products" must be a list'),
             "kinds.json": ({**good, "collectives": {}}, 'the key "all-gather" is missing'),
             "version.json": ({**good, "version": 9}, '"version" must be 1')}
    for name, (table, words) in wrong.items():
        (folder / name).write_text(json.dumps(table))
        refused(run([*run_it, "--costs", folder / name]), 64, name, words)
        contains(planned(folder, "--costs", folder / name, status=64).stderr, words, "tpmodel")
    (folder / "text.json").write_text("no json")
    refused(run([*run_it, "--costs", folder / "text.json"]), 64, "text.json")
    (folder / "large.json").write_bytes(b" " * (2 << 20))
    refused(run([*run_it, "--costs", folder / "large.json"]), 64, "large.json", "more than")
    refused(run([*run_it, "--costs", folder / "none.json"]), 66, "none.json", "No such file")
    refused(run([*run_it, "--costs", folder]), 66, "folder")
    planned(folder, "--costs", folder / "none.json", status=66)


@check
def a_memory_limit_is_kept_or_refused(folder):
    run_it = mlp(folder, 172)
    least = max(rank["weight_bytes"] + rank["activation_bytes"]
                for rank in json.loads(planned(folder, "--json").stdout)["rank"])
    kept = run([*run_it, "--memory", f"{least}"])
    equal(hashes(kept), hashes(run(run_it)), "the same bits")
    result = run([*run_it, "--plan", "fastest", "--memory", f"{least}", "--report",
                  folder / "r.json"])
    equal(hashes(result), hashes(kept), "the same bits with --plan fastest")
    for rank in report(folder / "r.json")["rank"]:
        expect(rank["weight_bytes"] < least, f"{rank['weight_bytes']} of {least}")
    refused(run([*run_it, "--memory", "10KiB"]), 71, "--memory 10240", "the least is",
            "bytes per rank (weights")
    few = planned(folder, "--memory", "300KB", ranks=1, status=71).stderr
    contains(few, "it would fit on 4 ranks", "tpmodel plan")
    planned(folder, "--memory", "300KB", ranks=4)
    for wrong in ("8 gigs", "-1", "0"):
        refused(run([*run_it, f"--memory={wrong}"]), 64, "--memory", "8GiB")


@check
def a_measured_table_serves_to_plan(folder):
    run_it = mlp(folder, 105)
    result = run(["--calibrate", folder / "c.json", "--kernels", "eigen"], timeout=120)
    equal(result.status, 0, result.stderr)
    table = json.loads((folder / "c.json").read_text())
    equal(table["format"], "tpinfer costs", "format")
    groups = [row["ranks"] for row in table["collectives"]["all-reduce"]]
    if NP > 1:
        equal(groups[-1], NP, "the largest group")
        equal(groups[0], 2, "the smallest group")
    for rows in table["collectives"].values():
        expect(all(0 <= row["seconds"] < 10 and row["bytes_per_second"] > 0 for row in rows), rows)
    equal(hashes(run([*run_it, "--costs", folder / "c.json", "--plan", "fastest"])),
          hashes(run(run_it)), "the same bits by the measured table")
    refused(run(["--calibrate", folder / "none/c.json"]), 73, "none/c.json")
    no_leftovers(folder)


@check
def predictions_stand_beside_measurements(folder):
    result = run([*mlp(folder, 48), "--explain", "--repeat", "3"])
    equal(result.status, 0, result.stderr)
    lines = [line for line in tpinfer_lines(result.stderr) if line.startswith("tpinfer: times: ")]
    pattern = re.compile(r"tpinfer: times: (\S+ x\d+|all steps): predicted [\d.]+ [num]?s, "
                         r"measured [\d.]+ [num]?s per run( \(slowest rank, waiting included\))?")
    expect(all(pattern.fullmatch(line) for line in lines), lines)
    kinds = {line.split()[2] for line in lines}
    expect({"MatMul", "Softmax", "Add", "all"} <= kinds, kinds)
    equal(NP > 1, bool(kinds & {"all-reduce", "all-gather", "reduce-scatter"}), "collectives")
    predicted = [line for line in tpinfer_lines(result.stderr) if ": predicted " in line
                 and "times:" not in line]
    equal(len(predicted), 1, f"lines with the prediction: {result.stderr}")
    contains(predicted[0], "no plan costs less by the table", "proven")
    quiet = run([*mlp(folder, 48), "--quiet"])
    expect("times:" not in quiet.stderr, quiet.stderr)


@check
def a_model_whose_weights_were_never_written_can_be_planned(folder):
    write_model(folder / "m.h5", graph({"x": [4, 4096]}, "y", node("MatMul", "x w", "y")))
    with h5py.File(folder / "m.h5", "r+") as file:
        file.create_dataset("weights/w", (4096, 262144), np.float32)  # 4 GiB
    expect((folder / "m.h5").stat().st_size < 1 << 20, "the file is small")
    result = planned(folder, "--memory", "80MiB", ranks=64)
    contains(result.stdout, "weights 67108864", "bytes per rank")
    contains(result.stdout, "why: MatMul y: cut n/64", "why")
    contains(result.stderr, "planned all the same", "a note")
    refused(run(["--model", folder / "m.h5"]), 65, "/weights/w")
    (folder / "m.h5").write_bytes(b"no model")
    planned(folder, status=65)


main()
