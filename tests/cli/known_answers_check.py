#!/usr/bin/python3
# ranks: 1 2 3 4 5 8
"""Networks whose answers are exact in float32 in any order of summation: every result is compared
bit by bit, under every way to cut them."""
import numpy as np

from answers import (MATMUL_NEG, RAMP, filled, graph, hashes, node, printed, report, sha256)
from harness import *

HALVES = graph({"input_x": [128, 96], "input_y": [128, 96]}, "x z z1",
               node("Add", "input_x input_x", "sum"), node("MatMul", "sum w", "sum_w"),
               node("Neg", "sum_w", "x"), node("MatMul", "input_y w", "yw"), node("Neg", "yw", "z"),
               node("MatMul", "input_y w1", "yw1"), node("Neg", "yw1", "z1"))
ANSWERS = {"x": -96, "z": -48, "z1": -144}


def strategies():
    """Cuts (rows, contraction, columns) of a (128,96) x (96,16) product that use all ranks."""
    return [f"(({m},{k}),({k},{n}))" for m in (1, 2, 4, 8) for k in (1, 2, 3, 4, 6, 8)
            for n in (1, 2, 4, 8) if m * k * n == NP]


def small_integers(shape, seed):
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


@check
def halves_of_the_pipeline(folder):
    write_model(folder / "m.h5", HALVES, {"w": filled(0.5), "w1": filled(1.5)})
    wanted = {name: sha256(filled(value, 128, 16)) for name, value in ANSWERS.items()}
    for more in [[]] + [["--strategy", f"matmul={s}"] for s in strategies()]:
        result = run(["--model", folder / "m.h5", *more])
        equal(hashes(result), wanted, f"hashes with {more}")
        equal(printed(result), {name: (8192, 2048, [v] * 10) for name, v in ANSWERS.items()},
              f"values with {more}")


@check
def strategies_that_need_fewer_or_uneven_ranks(folder):
    write_model(folder / "m.h5", HALVES, {"w": filled(0.5), "w1": filled(1.5)})
    wanted = {name: sha256(filled(value, 128, 16)) for name, value in ANSWERS.items()}
    for strategy in ["((1,1),(1,1))", f"((1,{NP}),({NP},1))", f"(({NP},1),(1,1))",
                     f"((1,1),(1,{NP}))"]:
        result = run(["--model", folder / "m.h5", "--uneven", "--strategy", f"matmul={strategy}"])
        equal(hashes(result), wanted, f"hashes with {strategy}")


@check
def the_seven_strategies_of_eight_ranks(folder):
    # All of A-4 are among those that every rank count runs above.
    seven = ["((8,1),(1,1))", "((1,8),(8,1))", "((1,1),(1,8))", "((2,2),(2,2))", "((2,1),(1,4))",
             "((4,2),(2,1))", "((1,2),(2,4))"]
    equal([s for s in seven if NP == 8 and s not in strategies()], [], "strategies not run")
    # Those that need fewer ranks repeat the work on the others; three ranks do, too.
    write_model(folder / "m.h5", HALVES, {"w": filled(0.5), "w1": filled(1.5)})
    wanted = {name: sha256(filled(value, 128, 16)) for name, value in ANSWERS.items()}
    repeated = ["((2,1),(1,1))", "((1,2),(2,1))", "((1,1),(1,2))", "((1,4),(4,1))"]
    for strategy in repeated if NP % 4 == 0 else repeated[:3] if NP % 2 == 0 else ["((1,1),(1,1))"]:
        result = run(["--model", folder / "m.h5", "--strategy", f"matmul={strategy}"])
        equal(hashes(result), wanted, f"hashes with {strategy}")


@check
def one_strategy_per_node(folder):
    if NP % 2:
        raise Skipped("an odd number of ranks")
    write_model(folder / "m.h5", HALVES, {"w": filled(0.5), "w1": filled(1.5)})
    given = f"sum_w=((1,{NP}),({NP},1));yw=((2,1),(1,{NP // 2}));yw1=((1,2),(2,1))"
    result = run(["--model", folder / "m.h5", "--strategy", given])
    equal(hashes(result), {name: sha256(filled(value, 128, 16)) for name, value in ANSWERS.items()},
          "hashes")


@check
def random_integers_are_exact_under_all_cuts(folder):
    x, w = small_integers((128, 96), 1), small_integers((96, 16), 2)
    write_model(folder / "m.h5", MATMUL_NEG, {"w": w})
    np.save(folder / "x.npy", x)
    want = sha256(-(x @ w))
    for cuts in [[]] + [["--strategy", f"matmul={s}"] for s in strategies()]:
        for more in ([], ["--fast"]) if cuts else ([],):  # exact sums: the fast ones agree too
            result = run(["--model", folder / "m.h5", "--input", folder / "x.npy", *cuts, *more])
            equal(hashes(result), {"y": want}, f"hash with {cuts} {more}")


@check
def a_sum_comes_before_what_is_not_linear_and_a_bias_once(folder):
    # Two halves of the contraction give 3 and -5: relu(3) + relu(-5) would be 3.
    w = np.zeros((96, 16), np.float32)
    w[0], w[95] = 3, -5
    relu = graph({"x": [128, 96]}, "y", node("MatMul", "x w", "xw"), node("Relu", "xw", "y"))
    write_model(folder / "relu.h5", relu, {"w": w})
    bias = graph({"x": [128, 96]}, "y", node("MatMul", "x w", "xw"), node("Add", "xw b", "xwb"),
                 node("Neg", "xwb", "y"))
    write_model(folder / "bias.h5", bias, {"w": filled(0.5), "b": np.ones(16, np.float32)})
    gemm = graph({"x": [128, 96]}, "y", node("Gemm", "x w b", "g"), node("Neg", "g", "y"))
    write_model(folder / "gemm.h5", gemm, {"w": filled(0.5), "b": np.ones(16, np.float32)})
    row_cut = ["--uneven", "--strategy", f"matmul=((1,{NP}),({NP},1))"]
    for model, value in (("relu", 0), ("bias", -49), ("gemm", -49)):
        for cuts in ([], row_cut):
            result = run(["--model", folder / f"{model}.h5", *cuts])
            equal(hashes(result), {"y": sha256(filled(value, 128, 16))}, f"{model} with {cuts}")


@check
def the_two_lines_of_an_output(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    result = run(["--model", folder / "m.h5", "--input", "x=ones"])
    equal(result.stdout, "tensor's name is:y data size is:8192 tensor elements num is:2048\n"
                         "output data is: " + "-48.0 " * 10 + "\n", "stdout")
    contains(result.stderr, f"equal on {NP}/{NP} ranks", "stderr")
    short = graph({"x": [1, 96]}, "y", node("MatMul", "x w", "y"))
    write_model(folder / "short.h5", short, {"w": filled(0.5, 96, 4)})
    result = run(["--model", folder / "short.h5"])
    equal((result.status, result.stdout),
          (0, "tensor's name is:y data size is:16 tensor elements num is:4\n"
              "output data is: 48.0 48.0 48.0 48.0 \n"), "a short output")


@check
def the_story_of_a_run(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    lines = tpinfer_lines(run(["--model", folder / "m.h5"]).stderr)
    expect(5 <= len(lines) <= 9, f"a handful of lines: {lines}")
    story = "\n".join(lines)
    for part in (f"{NP} rank", "1 node", f"mesh tp {NP}", "per rank, ", "bytes", "of 6144 bytes",
                 "all-gather" if NP > 1 else "no collective", "load ", "compute ", "communication ",
                 "waiting "):
        contains(story, part, "the story")


@check
def the_same_bits_as_one_rank(folder):
    # Not exact sums: only the fixed order of summation makes these equal.
    x = np.random.default_rng(3).standard_normal((128, 96)).astype(np.float32)
    w = np.random.default_rng(4).standard_normal((96, 16)).astype(np.float32)
    write_model(folder / "m.h5", MATMUL_NEG, {"w": w})
    np.save(folder / "x.npy", x)
    arguments = ["--model", folder / "m.h5", "--input", folder / "x.npy"]
    want = hashes(run(arguments, np=1))
    equal(hashes(run(arguments)), want, f"hash of {NP} ranks")
    row_cut = f"matmul=((1,{NP}),({NP},1))"
    equal(hashes(run([*arguments, "--uneven", "--strategy", row_cut])), want, "hash of a row cut")
    if NP == 8:
        equal(hashes(run(arguments, np=13)), want, "hash of 13 ranks")
    run([*arguments, "--output", folder / "y.npy"])
    y = np.load(folder / "y.npy")
    equal(sha256(y), want["y"], "the printed hash is that of the bytes")
    exact = -(x.astype(np.float64) @ w)
    expect(np.abs(y - exact).max() < 96 * 2**-24 * (np.abs(x) @ np.abs(w)).max(),
           "the error bound of 96 additions in float32")


@check
def names_and_shapes(folder):
    write_model(folder / "m.h5", HALVES, {"w": filled(0.5), "w1": filled(1.5)})
    result = run(["--model", folder / "m.h5", "--output", folder / "o.npz", "--report",
                  folder / "r.json"])
    equal(result.status, 0, f"status; {result.stderr}")
    with np.load(folder / "o.npz") as outputs:
        equal({name: (outputs[name].shape, str(outputs[name].dtype)) for name in outputs.files},
              {name: ((128, 16), "float32") for name in "x z z1".split()}, "outputs")
    equal([(o["name"], o["shape"]) for o in report(folder / "r.json")["outputs"]],
          [(name, [128, 16]) for name in "x z z1".split()], "outputs in the report")


@check
def inputs_that_do_not_fit(folder):
    write_model(folder / "m.h5", HALVES, {"w": filled(0.5), "w1": filled(1.5)})
    write_model(folder / "one.h5", MATMUL_NEG, {"w": filled(0.5)})
    refused(run(["--model", folder / "m.h5", "--input", "input_x=ones"]), 65, "input_y")
    refused(run(["--model", folder / "m.h5", "--input", "q=ones"]), 65, "q", "input_x", "input_y")
    np.save(folder / "short.npy", np.ones((127, 96), np.float32))
    refused(run(["--model", folder / "one.h5", "--input", f"x={folder}/short.npy"]), 65, "x",
            "(127,96)", "(128,96)")
    np.save(folder / "integers.npy", np.ones((128, 96), np.int32))
    refused(run(["--model", folder / "one.h5", "--input", f"x={folder}/integers.npy"]), 65, "x",
            "int32", "float32")


@check
def graphs_by_name_and_index(folder):
    graphs = {"matmul_0": MATMUL_NEG,
              "matmul_1": graph({"x": [128, 96]}, "y", node("MatMul", "x w", "y"))}
    write_model(folder / "m.h5", graphs, {"w": filled(0.5)})
    for choice, value in ((None, -48), ("0", -48), ("1", 48), ("matmul_1", 48)):
        result = run(["--model", folder / "m.h5", *(["--graph", choice] if choice else [])])
        equal(printed(result).get("y"), (8192, 2048, [value] * 10), f"graph {choice}")
    refused(run(["--model", folder / "m.h5", "--graph", "2"]), 65, "2", "0 (matmul_0)",
            "1 (matmul_1)")


@check
def strategies_that_are_refused(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    for strategy, parts in {
            "((1,8),(4,1))": ("xw", "8", "4", "agree"),
            "((1,5),(5,1))": ("xw", "96", "5", "legal"),
            "((1,16),(16,1))": ("xw", "16 ranks", f"has {NP}", "legal products: 1"),
            "((1,0),(0,1))": ("xw", "0"),
            "((1,-1),(-1,1))": ("xw", "-1"),
            "((1,1),(1,1),(1,1))": ("xw", "3", "2"),
            "((1,1,1),(1,1))": ("xw", "3", "2"),
            "((1,1)": ("((1,1)",),
    }.items():
        refused(run(["--model", folder / "m.h5", "--strategy", f"matmul={strategy}"]), 64, *parts)
    refused(run(["--model", folder / "m.h5", "--strategy", "conv=((1,1),(1,1))"]), 64, "conv", "xw")
    lenet = graph({"x": [1, 28, 28]}, "y", node("Flatten", "x", "flat", axis=1),
                  node("MatMul", "flat w", "y", name="layer1"))
    weights = {"w": filled(0.5, 784, 128)}
    write_model(folder / "batch1.h5", lenet, weights)
    wanted = ("layer1", "extent 1", "2")
    refused(run(["--model", folder / "batch1.h5", "--strategy", "layer1=((2,1),(1,2))"]), 64,
            *wanted)
    lenet["nodes"][1]["strategy"] = [[2, 1], [1, 2]]
    write_model(folder / "in_file.h5", lenet, weights)
    refused(run(["--model", folder / "in_file.h5"]), 65, *wanted)


@check
def known_answers_inside_the_model(folder):
    ones = np.ones((128, 96), np.float32)
    right = {"inputs": {"x": ones}, "outputs": {"y": -(ones @ RAMP)}}
    wrong = {"inputs": {"x": ones}, "outputs": {"y": -(ones @ RAMP)}}
    wrong["outputs"]["y"][0, 0] = -72959
    write_model(folder / "good.h5", MATMUL_NEG, {"w": RAMP}, [right] * 3)
    write_model(folder / "bad.h5", MATMUL_NEG, {"w": RAMP}, [right, wrong, right])
    write_model(folder / "near.h5", MATMUL_NEG, {"w": RAMP}, [right, {**wrong, "atol": 1.0}])
    write_model(folder / "none.h5", MATMUL_NEG, {"w": RAMP})

    def outcome(name):
        result = run(["--model", folder / name, "--check"])
        return result.status, result.stdout
    equal(outcome("good.h5"), (0, "check: PASS 3/3\n"), "right answers")
    equal(outcome("bad.h5"), (1, "check: FAIL 1/3 y[0,0] want -72959.0 got -72960.0\n"),
          "a wrong answer")
    equal(outcome("near.h5"), (0, "check: PASS 2/2\n"), "an answer within atol")
    refused(run(["--model", folder / "none.h5", "--check"]), 65, "no known answers")
    result = run(["--model", folder / "none.h5", "--input", "x=ones"])
    contains(result.stdout, "output data is: -72960.0 -73056.0 -73152.0 ", "stdout")


main()
