#!/usr/bin/python3
# ranks: 1 2 3 8
"""Several graphs, methods, pipelines: seed 001 and acceptance A-1 to A-7, A-10, A-16, A-17."""
import json

import h5py
import numpy as np

from harness import *
from pipelines import add_calls, graph, seed_model

STRATEGIES = {
    1: ["((1,1),(1,1))"],
    2: ["((2,1),(1,1))", "((1,2),(2,1))", "((1,1),(1,2))"],
    3: ["((1,3),(3,1))"],
    8: ["((8,1),(1,1))", "((1,8),(8,1))", "((1,1),(1,8))", "((2,2),(2,2))", "((2,1),(1,4))",
        "((4,2),(2,1))", "((1,2),(2,4))"],
}


def predict(folder, model, *more):
    """Runs predict on ones; the outputs, by name, and the run."""
    out = folder / "out.npz"
    result = run(["--model", model, "--method", "predict", "--input", "x=ones", "--input",
                  "y=ones", "--output", out, *more])
    equal(result.status, 0, f"status; {result.stderr}")
    arrays = np.load(out) if result.status == 0 else None
    return ({name: arrays[name] for name in arrays.files} if arrays else {}), result


def weight_bytes(folder, *arguments):
    """Bytes of weights that the ranks hold and read, all together."""
    report = folder / "report.json"
    result = run([*arguments, "--report", report])
    equal(result.status, 0, f"status; {result.stderr}")
    ranks = json.loads(report.read_text())["rank"]
    return tuple(sum(rank[key] for rank in ranks) for key in ("weight_bytes", "weight_bytes_read"))


@check
def seed_001(folder):
    got, result = predict(folder, seed_model(folder))
    equal(sorted(got), ["x", "z"], "names")
    for name, value in (("x", -96), ("z", -48)):
        equal(got[name].dtype, np.float32, "dtype")
        expect(np.array_equal(got[name], np.full((128, 16), value)), f"{name} is all {value}")
    contains(result.stderr, "tpinfer: graph 0 ran 1, graph 1 ran 10\n", "stderr")
    for name, value in (("x", "-96.0"), ("z", "-48.0")):
        contains(result.stdout, f"tensor's name is:{name} data size is:8192 tensor elements num "
                 f"is:2048\noutput data is: {value} ", "stdout")


@check
def another_weight_in_graph_1(folder):
    got, _ = predict(folder, seed_model(folder, "1.5"))
    expect(np.array_equal(got["x"], np.full((128, 16), -96)), "x is -96")
    expect(np.array_equal(got["z"], np.full((128, 16), -144)), "z is -144")


@check
def every_strategy(folder):
    model = seed_model(folder)
    for strategy in STRATEGIES[NP]:
        got, _ = predict(folder, model, "--strategy", f"MatMul={strategy}")
        expect((got["x"] == -96).all() and (got["z"] == -48).all(), f"values with {strategy}")


@check
def meshes_give_the_same_bits(folder):
    model = seed_model(folder)
    meshes = {1: ["dp=1"], 2: ["dp=2", "pp=2"], 3: ["dp=3"], 8: ["dp=2,pp=2,tp=2", "dp=4,tp=2"]}
    for mesh in meshes[NP]:
        got, _ = predict(folder, model, "--mesh", mesh)
        expect((got["x"] == -96).all() and (got["z"] == -48).all(), f"values with {mesh}")


@check
def a_method_alone(folder):
    result = run(["--model", seed_model(folder), "--method", "fun2", "--input", "ones"])
    equal(result.status, 0, "status")
    contains(result.stdout, "output data is: -48.0 -48.0", "stdout")
    contains(result.stderr, "tpinfer: graph 1 ran 1\n", "stderr")


@check
def each_call_has_extents_of_its_own(folder):
    model = folder / "m.h5"
    write_model(model, graph(["batch", 96]), {"w": np.full((96, 16), 0.5, np.float32)})
    add_calls(model, pipelines={"predict": {"inputs": ["x", "y"], "outputs": ["a", "b"], "steps": [
        {"graph": 0, "inputs": {"x": name}, "outputs": {"y": output}}
        for name, output in ("xa", "yb")]}})
    np.save(folder / "x.npy", np.ones((2, 96), np.float32))
    np.save(folder / "y.npy", np.ones((3, 96), np.float32))
    out = folder / "out.npz"
    result = run(["--model", model, "--method", "predict", "--input", f"x={folder / 'x.npy'}",
                  "--input", f"y={folder / 'y.npy'}", "--output", out])
    if equal(result.status, 0, result.stderr):
        equal([np.load(out)[name].shape for name in "ab"], [(2, 16), (3, 16)], "shapes")


@check
def inputs_that_do_not_fit(folder):
    model = seed_model(folder)
    np.save(folder / "int.npy", np.ones((128, 96), np.int32))
    np.save(folder / "short.npy", np.ones((127, 96), np.float32))
    call = ["--model", model, "--method", "predict", "--input", "y=ones", "--input"]
    refused(run([*call, f"x={folder / 'int.npy'}"]), 65, "int32", "float32")
    refused(run([*call, f"x={folder / 'short.npy'}"]), 65, "(127,96)", "(128,96)")
    refused(run(call[:-1]), 65, "cannot find input x")


@check
def one_weight_two_shapes(folder):
    model = folder / "a16.h5"
    w = np.full((96, 16), 0.5, np.float32)
    nodes = [{"op": "MatMul", "inputs": ["x", "w"], "outputs": ["p"]},
             {"op": "ReduceSum", "inputs": ["p"], "outputs": ["y"],
              "attributes": {"axes": [0], "keepdims": 0}}]
    write_model(model, {"first": graph([128, 96], nodes=nodes), "second": graph([8, 96], nodes=nodes)},
                {"w": w})
    add_calls(model, {"add": {
        "inputs": [{"name": n, "dtype": "float32", "shape": [16]} for n in "ab"],
        "outputs": ["c"], "preprocess": [{"op": "Add", "inputs": ["a", "b"], "outputs": ["c"]}]}},
        {"predict": {"inputs": ["x", "y"], "outputs": ["z"], "steps": [
            {"graph": "first", "inputs": {"x": "x"}, "outputs": {"y": "z1"}},
            {"graph": 1, "inputs": {"x": "y"}, "outputs": {"y": "z2"}},
            {"method": "add", "inputs": {"a": "z1", "b": "z2"}, "outputs": {"c": "z"}}]}})
    got, result = predict(folder, model)
    expect(np.array_equal(got["z"], np.full(16, 6528)), "z is 6528")
    contains(result.stderr, "tpinfer: graph 0 ran 1, graph 1 ran 1\n", "stderr")
    equal(weight_bytes(folder, "--model", model, "--method", "predict"), (w.nbytes, w.nbytes),
          "one copy of the weight, read once")


@check
def add_and_subtract(folder):
    model = folder / "a17.h5"
    pair = [{"name": n, "dtype": "float32", "shape": ["batch", 2, 2]} for n in ("x1", "x2")]
    write_model(model, {"add": {"inputs": pair, "outputs": ["y"], "nodes": [
        {"op": "Add", "inputs": ["x1", "x2"], "outputs": ["y"]}]}, "sub": {
            "inputs": pair, "outputs": ["y"], "nodes": [
                {"op": "Sub", "inputs": ["x1", "x2"], "outputs": ["y"]}]}})
    add_calls(model, pipelines={"predict": {"inputs": ["x1", "x2"], "outputs": ["y1", "y2"], "steps": [
        {"graph": "add", "outputs": {"y": "y1"}}, {"graph": "sub", "outputs": {"y": "y2"}}]}})
    x = np.repeat(np.float32([1, 2, 3]), 4).reshape(3, 2, 2)
    np.save(folder / "x.npy", x)
    out = folder / "out.npz"
    result = run(["--model", model, "--method", "predict", "--input", f"x1={folder / 'x.npy'}",
                  "--input", f"x2={folder / 'x.npy'}", "--output", out])
    equal(result.status, 0, f"status; {result.stderr}")
    got = np.load(out)
    expect(np.array_equal(got["y1"], 2 * x) and not got["y2"].any(), "2, 4, 6 and 0, 0, 0")


@check
def several_files(folder):  # the seed's layout: one file per graph, equal weights held once
    w = np.full((96, 16), 0.5, np.float32)
    files = [folder / f"matmul_{i}.h5" for i in range(2)]
    for file in files:
        write_model(file, graph([128, 96]), {"w": w})
    pipelines = folder / "pipelines.json"
    pipelines.write_text(json.dumps({"methods": {}, "pipelines": {"predict": {
        "inputs": ["x", "y"], "outputs": ["x", "z"], "steps": [
            {"graph": 0, "outputs": {"y": "x"}},
            {"repeat": 10, "steps": [{"graph": 1, "inputs": {"x": "y"}, "outputs": {"y": "z"}}]}]}}}))
    models = ["--model", files[0], "--model", files[1], "--pipelines", pipelines]
    got, result = predict(folder, models[1], *models[2:])
    expect((got["x"] == -48).all() and (got["z"] == -48).all(), "values")
    contains(result.stderr, "graph 0 ran 1, graph 1 ran 10", "stderr")
    contains(result.stderr, "1 weight (6144 bytes) equal in two, held once", "stderr")
    equal(weight_bytes(folder, *models, "--method", "predict"), (w.nbytes, w.nbytes), "held once")
    result = run(["--model", f"{files[0]},{files[1]}", "--graph", "1"])
    contains(result.stdout, "-48.0", "stdout")
    refused(run([*models[:4], "--graph", "main"]), 65, "several files", "0 (main), 1 (main)")
    refused(run([*models[:4], "--graph", "2"]), 65, "0 (main), 1 (main)")
    write_model(files[1], graph([128, 96]), {"w": 3 * w})
    got, _ = predict(folder, models[1], *models[2:])
    expect((got["z"] == -144).all(), "the second file's own weight")
    equal(weight_bytes(folder, *models, "--method", "predict")[0], 2 * w.nbytes, "held twice")
    # A name means the pipeline's own file first.
    add_calls(files[1], pipelines={"own": {"inputs": ["x"], "outputs": ["y"],
                                           "steps": [{"graph": "main"}]}})
    result = run([*models[:4], "--method", "own", "--input", "x=ones"])
    contains(result.stdout, "-144.0", "stdout")
    contains(result.stderr, "graph 1 ran 1\n", "stderr")


@check
def requests_call_methods_and_pipelines(folder):
    model = seed_model(folder)
    add_calls(model, version=3)
    ask = folder / "ask.jsonl"
    ask.write_text("".join(json.dumps(line) + "\n" for line in [
        {"id": 1, "method": "predict", "inputs": {"x": "ones", "y": "ones"}},
        {"id": 2, "method": "nope", "inputs": {"x": "ones"}},
        {"id": 3, "method": "fun1", "version": 3, "inputs": {"x": "ones"}},
        {"id": 4, "method": "fun1", "version": 7, "inputs": {"x": "ones"}},
        {"id": 5, "graph": 1, "inputs": {"x": "ones"}},
        {"id": 6, "method": "predict", "inputs": {"x": "ones"}}]))
    result = run(["--model", model, "--requests", ask])
    equal(result.status, 0, f"status; {result.stderr}")
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if not equal(len(lines), 6, f"answers {result.stdout[:300]!r}"):
        return
    for line, parts in zip(lines, [
            ("-96.0", "-48.0"), ("no method is called nope", "fun1, fun2, predict"), ("-96.0",),
            ("version 7 is not there", "3"), ("-48.0",), ("input y",)]):
        for part in parts:
            contains(line, part, "the answer")


def loop_model(folder, pipeline, inputs=("x", "n")):
    """h -> tanh(h w), a step counter and a limit, in one graph."""
    rng = np.random.default_rng(5)
    w = rng.standard_normal((24, 24)).astype(np.float32)
    body = {"inputs": [{"name": "h", "dtype": "float32", "shape": ["batch", 24]},
                       {"name": "left", "dtype": "int64", "shape": [1]}],
            "outputs": ["next", "fewer", "done"],
            "nodes": [{"op": "MatMul", "inputs": ["h", "w"], "outputs": ["p"]},
                      {"op": "Tanh", "inputs": ["p"], "outputs": ["next"]},
                      {"op": "Sub", "inputs": ["left", "one"], "outputs": ["fewer"]},
                      {"op": "Clip", "inputs": ["left", "zero", "one_s"], "outputs": ["more"]},
                      {"op": "Sub", "inputs": ["one", "more"], "outputs": ["done"]}]}
    model = folder / "loop.h5"
    write_model(model, body, {"w": w, "one": np.int64([1]), "zero": np.int64(0),
                              "one_s": np.int64(1)})
    add_calls(model, pipelines={"predict": {
        "inputs": list(inputs), "outputs": ["x"], **pipeline}})
    return model, w


def loop_result(folder, model, n, batch=5):
    np.save(folder / "x.npy", np.linspace(-1, 1, batch * 24, dtype=np.float32).reshape(batch, 24))
    np.save(folder / "n.npy", np.int64([n]))
    out = folder / f"out{n}.npy"
    result = run(["--model", model, "--method", "predict", "--input", f"x={folder / 'x.npy'}",
                  "--input", f"n={folder / 'n.npy'}", "--output", out])
    return (np.load(out) if result.status == 0 else None), result


CALL = {"graph": 0, "inputs": {"h": "x", "left": "n"},
        "outputs": {"next": "new", "fewer": "left", "done": "done"}}


@check
def loops_from_inputs(folder):
    counted, _ = loop_model(folder, {"steps": [
        {"repeat": "n", "carry": {"x": "new"}, "steps": [{**CALL, "outputs": {"next": "new"}}]}]})
    call = {**CALL, "inputs": {"h": "new", "left": "n"}, "outputs": {"next": "new"}}
    # "new" is made before the loop, so that it may run no time at all.
    for n, runs in ((1, 1), (4, 4)):
        got, result = loop_result(folder, counted, n)
        equal(result.status, 0, result.stderr)
        contains(result.stderr, f"graph 0 ran {runs}\n", "stderr")
    bits = {n: loop_result(folder, counted, n)[0].tobytes() for n in (3, 4)}
    expect(bits[3] != bits[4], "each time changes the state")
    # The same as calls one by one, each in a run of its own.
    x = folder / "x.npy"
    for i in range(4):
        out = folder / f"step{i}.npz"
        run(["--model", counted, "--graph", "0", "--input", f"h={x}", "--input",
             f"left={folder / 'n.npy'}", "--output", out])
        np.save(folder / f"h{i}.npy", np.load(out)["next"])
        x = folder / f"h{i}.npy"
    equal(np.load(x).tobytes(), bits[4], "four calls")
    for n in (0, -3, 1_000_001):
        refused(loop_result(folder, counted, n)[1], 65, "step 0", "repeat", n, "legal are 1 to")


@check
def loops_that_end_themselves(folder):
    model, _ = loop_model(folder, {"steps": [
        {"repeat": 50, "carry": {"x": "new", "n": "left"}, "until": "done", "steps": [CALL]}]})
    for n in (0, 3, 7):  # done is 1 in the run that finds n = 0
        got, result = loop_result(folder, model, n)
        contains(result.stderr, f"graph 0 ran {n + 1}\n", "stderr")
    counted, _ = loop_model(folder, {"steps": [
        {"repeat": 8, "carry": {"x": "new", "n": "left"}, "steps": [CALL]}]})
    equal(got.tobytes(), loop_result(folder, counted, 7)[0].tobytes(), "the last carry is made")
    model, _ = loop_model(folder, {"steps": [
        {"repeat": {"extent_of": "x", "dimension": 0}, "carry": {"x": "new"}, "steps": [CALL]}]})
    _, result = loop_result(folder, model, 1, batch=6)
    contains(result.stderr, "graph 0 ran 6\n", "stderr")


@check
def known_answers_of_a_pipeline(folder):
    model = seed_model(folder)
    ones = np.ones((128, 96), np.float32)
    with h5py.File(model, "a") as file:
        for name in "xy":
            file[f"examples/0/inputs/{name}"] = ones
        file["examples/0/outputs/z"] = np.full((128, 16), -48, np.float32)
        file["examples/0"].attrs["method"] = "predict"
    call = ["--model", model, "--method", "predict", "--check"]
    equal(run(call).stdout, "check: PASS 1/1\n", "stdout")
    refused(run(["--model", model, "--check"]), 65, "graph matmul_0")
    with h5py.File(model, "a") as file:
        file["examples/0/outputs/z"][3, 4] = 1
    result = run(call)
    equal(result.status, 1, "status")
    contains(result.stdout, "check: FAIL 1/1 z[3,4] want 1.0 got -48.0", "stdout")
    with h5py.File(model, "a") as file:
        file["examples/0/inputs/q"] = ones
    refused(run(call), 65, "example 0: pipeline predict has no input q")


def random_steps(rng, names, depth):
    """Calls of step(a, b) -> a random variable of `names`, and loops."""
    steps = []
    for _ in range(rng.integers(1, 4)):
        pick = lambda: names[rng.integers(len(names))]
        if depth < 3 and rng.random() < 0.4:
            body = random_steps(rng, names, depth + 1)
            repeat = int(rng.integers(1, 4)) if rng.random() < 0.5 else "n"
            loop = {"repeat": repeat, "steps": body}
            if rng.random() < 0.7:
                loop["carry"] = {"a": "b", "b": "a"} if rng.random() < 0.5 else {"c": "a"}
            steps.append(loop)
        else:
            steps.append({"method" if rng.random() < 0.5 else "graph": "mix",
                          "inputs": {"a": pick(), "b": pick()}, "outputs": {"c": pick()}})
    return steps


def call_one_by_one(steps, values, w):
    """What random_steps does, in NumPy; all numbers are small integers, so exact."""
    calls = 0
    for step in steps:
        if "repeat" not in step:
            a, b = (values[step["inputs"][name]] for name in "ab")
            if "method" in step:  # preprocess: a - b for b
                b = a - b
            values[step["outputs"]["c"]] = np.clip(a @ w + b, -50, 50)
            calls += 1
            continue
        for _ in range(step["repeat"] if step["repeat"] != "n" else int(values["n"][0])):
            calls += call_one_by_one(step["steps"], values, w)
            carried = {to: values[source] for to, source in step.get("carry", {}).items()}
            values.update(carried)
    return calls


@check
def random_pipelines_equal_their_calls(folder):
    spec = lambda name, dtype="float32", shape=("rows", 7): {
        "name": name, "dtype": dtype, "shape": list(shape)}
    mix = {"inputs": [spec("a"), spec("b")], "outputs": ["c"], "nodes": [
        {"op": "MatMul", "inputs": ["a", "w"], "outputs": ["p"]},
        {"op": "Add", "inputs": ["p", "b"], "outputs": ["s"]},
        {"op": "Clip", "inputs": ["s"], "outputs": ["c"], "attributes": {"min": -50.0, "max": 50.0}}]}
    method = {"inputs": ["a", spec("b")], "outputs": ["c"], "graph": "mix",
              "graph_inputs": {"b": "difference"},
              "preprocess": [{"op": "Sub", "inputs": ["a", "b"], "outputs": ["difference"]}]}
    for seed in range(3):
        rng = np.random.default_rng(100 + seed)
        w = rng.integers(-1, 2, (7, 7)).astype(np.float32)
        values = {name: rng.integers(-9, 10, (4, 7)).astype(np.float32) for name in "abc"}
        values["n"] = np.int64([2])
        steps = random_steps(rng, "abc", 0) + [{"graph": 0}]
        steps[-1] = {"graph": "mix", "inputs": {"a": "a", "b": "b"}, "outputs": {"c": "c"}}
        model = folder / f"random{seed}.h5"
        write_model(model, {"mix": mix}, {"w": w})
        add_calls(model, {"mix": method}, {"predict": {
            "inputs": [spec(n) for n in "abc"] + [spec("n", "int64", [1])], "outputs": list("abc"),
            "steps": steps}})
        arguments = []
        for name, value in values.items():
            np.save(folder / f"{name}.npy", value)
            arguments += ["--input", f"{name}={folder / name}.npy"]
        out = folder / "out.npz"
        result = run(["--model", model, "--method", "predict", *arguments, "--output", out])
        calls = call_one_by_one(steps, values, w)
        if equal(result.status, 0, f"seed {seed}; {result.stderr}"):
            got = np.load(out)
            for name in "abc":
                expect(np.array_equal(got[name], values[name]), f"seed {seed}: {name}")
            contains(result.stderr, f"graph 0 ran {calls}\n", f"seed {seed}")


main()
