#!/usr/bin/python3
# ranks: 1 2 4 8
"""Strategies by pattern and by file, written and read back, and --plan batch: the same bits, and
every file that cannot be is refused in one line."""
import json
import re

import numpy as np

from answers import MATMUL_NEG, graph, hashes, node, sha256, filled
from harness import *

LAYERS = graph({"x": [16, 32]}, "y",
               node("MatMul", "x w0", "h0", name="layers.0.fc"), node("Relu", "h0", "r0"),
               node("MatMul", "r0 w1", "h1", name="layers.1.fc"), node("Relu", "h1", "r1"),
               node("Gemm", "r1 w2 b2", "y", name="head", transB=1))


def write_layers(folder):
    generator = np.random.default_rng(7)
    weights = {f"w{i}": generator.standard_normal((32, 32)).astype(np.float32) for i in (0, 1)}
    weights["w2"] = generator.standard_normal((24, 32)).astype(np.float32)
    weights["b2"] = generator.standard_normal(24).astype(np.float32)
    write_model(folder / "m.h5", LAYERS, weights)
    np.save(folder / "x.npy", generator.standard_normal((16, 32)).astype(np.float32))
    return ["--model", folder / "m.h5", "--input", folder / "x.npy"]


def strategy_file(nodes, layouts=None, **more):
    items = {name: {"stage": 0, "parallel_strategy": s} for name, s in nodes.items()}
    return json.dumps({"current_stage": 0, "parallel_strategy_item": items,
                       "parallel_layout_item": layouts or {}, **more})


def plan_of(stderr):
    """The steps that --explain prints."""
    return [line for line in stderr.splitlines() if re.match("tpinfer: plan:   |.*plan: mesh", line)]


def without_reasons(plan):
    """What was the planner's choice is the file's when it is read back."""
    return [line for line in plan.splitlines() if not line.startswith("why: ")]


def tpmodel(*arguments):
    return run(["plan", *arguments], np=0, program="tpmodel")


@check
def patterns(folder):
    arguments = write_layers(folder)
    want = hashes(run(arguments, np=1))
    given = f"matmul=(({NP},1),(1,1));layers.*=((1,{NP}),({NP},1));layers.1.fc=((1,1),(1,{NP}))"
    result = run([*arguments, "--strategy", given, "--explain"])
    equal(hashes(result), want, "hashes")
    if NP > 1:
        for line in (f"layers.0.fc: .* .cut k/{NP}.", f"layers.1.fc: .* .cut n/{NP}.",
                     f"head: .* .cut m/{NP}."):
            expect(re.search(line, result.stderr), f"{line} is not in {result.stderr}")
    refused(run([*arguments, "--strategy", "layer.*=((1,1),(1,1))"]), 64,
            '"layer.*" fits the name of no node; nodes: layers.0.fc, ')
    refused(run([*arguments, "--strategy", "layers.2.fc=((1,1),(1,1))"]), 64,
            'called "layers.2.fc"; near: layers.0.fc, layers.1.fc')
    # The pattern fits Relu nodes, whose inputs are not two.
    refused(run([*arguments, "--strategy", "r*=((1,1),(1,1))"]), 64, "Relu r0", "2 entries for 1")


@check
def a_file_and_what_follows_it(folder):
    arguments = write_layers(folder)
    want = hashes(run(arguments, np=1))
    layout = {"dev_matrix": [1, 1, NP], "tensor_map": [1, 0], "tensor_shape": [32, 32], "field": 0,
              "opt_weight_shard_step": 0, "opt_weight_shard_size": 0}
    # The Gemm's weight is transposed: ((a,b),(c,b)).
    (folder / "s.json").write_text(strategy_file(
        {"layers.0.fc": [[1, 1], [1, NP]], "head": [[1, NP], [1, NP]]},
        {"w0": layout, "moments.w0": layout}))
    given = f"{folder}/s.json;layers.0.fc=(({NP},1),(1,1))"
    result = run([*arguments, "--strategy", given, "--explain"])
    equal(hashes(result), want, "hashes")
    contains(result.stderr, "s.json: 1 parameter is no weight of graph main: moments.w0", "a note")
    if NP > 1:
        for line in (f"layers.0.fc: .* .cut m/{NP}.", f"head: .* .cut k/{NP}."):
            expect(re.search(line, result.stderr), f"{line} is not in {result.stderr}")


@check
def files_that_are_refused(folder):
    arguments = ["--model", folder / "m.h5", "--strategy", folder / "s.json"]
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    refused(run(arguments), 66, "--strategy", "s.json")
    layout = {"dev_matrix": [NP], "tensor_map": [0, -1], "tensor_shape": [96, 16], "field": 0,
              "opt_weight_shard_step": 0, "opt_weight_shard_size": 0}
    ones = [[1, 1], [1, 1]]
    for text, parts in {
            "": ("JSON",), "{": ("JSON",), "[]": ("object",), "\0": ("JSON",),
            strategy_file({"xw": ones}, extra=1): ("extra",),
            strategy_file({"fc9": ones}): ('parallel_strategy_item "fc9"', "nodes: xw, y"),
            strategy_file({"x*": ones}): ('"x*"', "no such node"),
            strategy_file({"xw": [[1, 1]]}): ("MatMul xw", "1 entry for 2 inputs"),
            strategy_file({"xw": [[1, 0], [0, 1]]}): ("MatMul xw", "the least is 1"),
            strategy_file({"xw": [[1, 7], [7, 1]]}): ("MatMul xw", "96 is not divisible by 7"),
            strategy_file({"xw": [[1, 96], [96, 1]]}): ("MatMul xw", "96 ranks", f"has {NP}"),
            strategy_file({"xw": "ones"}): ('"xw"', "list of lists"),
            strategy_file({}, {"w": {**layout, "field": 2}}): ('"w"', "field", "manual"),
            strategy_file({}, {"w": {**layout, "tensor_map": [0]}}): ('"w"', "tensor map"),
            strategy_file({}, {"w": {**layout, "dev_matrix": [5], "tensor_shape": [96, 16]}}):
                ('"w"', "96", "5 slices"),
            strategy_file({}, {"w": {**layout, "tensor_shape": [192, 16]}}): ("(192,16)", "(96,16)"),
    }.items():
        (folder / "s.json").write_text(text)
        refused(run(arguments), 64, "s.json", *parts)
    # What the model says is the model's fault.
    in_model = json.loads(json.dumps(MATMUL_NEG))
    in_model["nodes"][0]["strategy"] = [[1, 5], [5, 1]]
    write_model(folder / "in_model.h5", in_model, {"w": filled(0.5)})
    refused(run(["--model", folder / "in_model.h5"]), 65, "MatMul xw", "96 is not divisible by 5")
    no_leftovers(folder)


@check
def what_tpmodel_writes_gives_the_same_plan(folder):
    arguments = write_layers(folder)
    want = hashes(run(arguments, np=1))
    for more in ([], ["--plan", "fastest"], ["--plan", "batch"],
                 ["--strategy", f"layers.0.fc=((1,{NP}),({NP},1))"]):
        given = ["--ranks", NP, *more]
        first = tpmodel(folder / "m.h5", *given, "--write-strategy", folder / "plan.json")
        equal((first.status, first.stderr), (0, ""), f"{more}")
        second = tpmodel(folder / "m.h5", "--ranks", NP, "--strategy", folder / "plan.json")
        equal(without_reasons(second.stdout), without_reasons(first.stdout),
              f"the plan read back with {more}")
        result = run([*arguments, "--strategy", folder / "plan.json", "--explain"])
        equal(hashes(result), want, f"hashes with {more}")
        equal(plan_of(result.stderr), plan_of(run([*arguments, *more, "--explain"]).stderr),
              f"the plan of a run with {more}")


@check
def uneven_plans_are_written_with_notes(folder):
    if NP > 1:
        raise Skipped("once is enough")
    arguments = write_layers(folder)
    first = tpmodel(folder / "m.h5", "--ranks", 5, "--write-strategy", folder / "plan.json")
    equal(first.status, 0, f"status; {first.stderr}")
    contains(first.stderr, "tpmodel: note: weight w0 (32,32) ", "stderr")
    contains(first.stderr, "plan.json: it has uneven cuts; read it with --uneven", "stderr")
    refused(run([*arguments, "--strategy", folder / "plan.json"], np=5), 64, "--uneven")
    second = tpmodel(folder / "m.h5", "--ranks", 5, "--uneven", "--strategy", folder / "plan.json")
    equal(without_reasons(second.stdout), without_reasons(first.stdout), "the plan read back")
    bad = tpmodel(folder / "m.h5", "--ranks", 5, "--write-strategy", folder / "plan.txt")
    equal((bad.status, bad.stderr.count("\n")), (64, 1), f"a name without .json: {bad.stderr}")
    bad = tpmodel(folder / "m.h5", "--ranks", 5, "--write-strategy", folder / "no" / "plan.json")
    equal((bad.status, bad.stderr.count("\n")), (73, 1), f"no such folder: {bad.stderr}")
    no_leftovers(folder)


@check
def the_batch_plan(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    result = run(["--model", folder / "m.h5", "--plan", "batch"])
    equal(hashes(result), {"y": sha256(filled(-48, 128, 16))}, "hash")
    contains(result.stderr, "weights: 6144 of 6144 bytes per rank", "weights are whole")
    contains(result.stderr, "1 all-gather 8192 bytes" if NP > 1 else "no collectives", "what moves")
    # 128 rows over 3 or 5 ranks.
    for ranks in (3, 5) if NP == 1 else ():
        result = run(["--model", folder / "m.h5", "--plan", "batch"], np=ranks)
        equal(hashes(result), {"y": sha256(filled(-48, 128, 16))}, f"hash on {ranks} ranks")


main()
