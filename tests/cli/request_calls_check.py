#!/usr/bin/python3
# ranks: 1 2 3 8
"""Requests that call methods and pipelines: seed 001, acceptance A-5, A-13, A-14, A-17, loops whose
counts come with the request."""
import base64
import json
import os
import random
import subprocess
import sys

import h5py
import numpy as np

from answers import graph, node
from harness import *

LONG = os.environ.get("TPINFER_LONG_TESTS") == "1"


def ask(model, requests, *more, np=None):
    """The answers to these requests, as objects, in one run; and the run."""
    path = model.with_name("r.jsonl")
    path.write_text("".join(json.dumps(r) + "\n" for r in requests))
    result = run(["--model", model, "--requests", path, *more], np=np)
    equal(result.status, 0, f"status; {result.stderr}")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    equal([a["id"] for a in answers], [r.get("id") for r in requests], "ids")
    return answers, result


def values(answer):
    if not expect("outputs" in answer, f"no outputs: {str(answer)[:300]}"):
        return {}
    return {name: np.array(output["data"], output["dtype"]).reshape(output["shape"])
            for name, output in answer["outputs"].items()}


def is_error(answer, *parts):
    if expect("error" in answer, f"no error: {str(answer)[:300]}"):
        equal(answer["error"]["code"], 65, "the code")
        for part in parts:
            contains(answer["error"]["message"], part, "the message")


def all_are(array, shape, value, what):
    equal((array.dtype, array.shape, set(array.ravel().tolist())),
          (np.float32, shape, {float(value)}), what)


@check
def seed_001(folder):
    subprocess.run([sys.executable, SOURCE / "examples/pipeline_matmul.py"], cwd=folder, check=True)
    model = folder / "pipeline.h5"
    with h5py.File(model, "a") as file:
        file.attrs["version"] = 3
    ones = {"x": "ones", "y": "ones"}
    predict = {"method": "predict", "inputs": ones}
    answers, _ = ask(model, [
        {"id": 0, **predict},
        {"id": 1, "method": "nope", "inputs": ones},
        {"id": 2, **predict, "version": 7},
        {"id": 3, "method": "predict", "inputs": {"x": "ones"}},
        {"id": 4, "method": "predict", "inputs": {"x": [[1.0] * 96] * 127, "y": "ones"}},
        {"id": 5, "method": "predict", "inputs": {"x": [[True] * 96] * 128, "y": "ones"}},
        {"id": 6, "graph": 0, **predict},
        {"id": 7, "graph": "predict", "inputs": ones},
        {"id": 8, **predict, "version": 3, "outputs": ["z"]},
        {"id": 9, "method": "fun1", "inputs": {"x": "ones"}},
        {"id": 10, "method": "fun2", "inputs": {"x": "ones"}},
        {"id": 11, "graph": 1, "inputs": {"x": "ones"}},
        {"id": 12, "inputs": {"x": "zeros"}},
        {"id": 13, **predict}])
    for answer in (answers[0], answers[13]):
        got = values(answer)
        equal(list(got), ["x", "z"], "A-5: names")
        all_are(got["x"], (128, 16), -96, "A-5: x")
        all_are(got["z"], (128, 16), -48, "A-5: z")
    is_error(answers[1], "no method is called nope; the model has fun1, fun2, predict")
    is_error(answers[2], "version 7", "the model's version: 3")
    is_error(answers[3], "cannot find input y")
    is_error(answers[4], "(127,96)", "(128,96)")
    is_error(answers[5], "float32")
    is_error(answers[6], "method", "graph")
    is_error(answers[7], "no graph is called predict; there are matmul_0, matmul_1 (0 to 1)")
    equal(list(values(answers[8])), ["z"], "the output asked for")
    for number, name, value in ((9, "y", -96), (10, "y", -48), (11, "y", -48), (12, "y", -0.0)):
        all_are(values(answers[number])[name], (128, 16), value, f"answer {number}")
    only, _ = ask(model, [{"id": 0, "inputs": ones}, {"id": 1, **predict},
                          {"id": 2, "method": "fun1", "inputs": {"x": "ones"}},
                          {"id": 3, "graph": 0, "inputs": {"x": "ones"}}],
                  "--method", "predict")
    for answer in only[:2]:
        all_are(values(answer)["z"], (128, 16), -48, "with --method predict")
    is_error(only[2], "no method is called fun1; the model has predict")
    is_error(only[3], "no graph is called 0; only pipeline predict was loaded")


@check
def add_and_subtract(folder):
    model = folder / "a17.h5"
    pair = {"x1": [2, 2], "x2": [2, 2]}
    write_model(model, {"add": graph(pair, "y", node("Add", "x1 x2", "y")),
                        "sub": graph(pair, "y", node("Sub", "x1 x2", "y"))})
    with h5py.File(model, "a") as file:
        file["pipelines/predict"] = json.dumps({
            "inputs": ["x1", "x2"], "outputs": ["y1", "y2"], "steps": [
                {"graph": "add", "outputs": {"y": "y1"}},
                {"graph": "sub", "outputs": {"y": "y2"}}]})
    def both(value):
        return {"x1": [[value] * 2] * 2, "x2": [[value] * 2] * 2}
    three = {"method": "predict", "instances": [both(1), both(2), both(3)]}
    answers, _ = ask(model, [{"id": 1, **three}, {"id": 2, "method": "predict", "instances": [
        both(1), {"x1": both(1)["x1"]}, both(3)]}])
    for instance, value in zip(answers[0]["instances"], (2, 4, 6), strict=True):
        equal(list(instance["outputs"]), ["y1", "y2"], "names")
        all_are(values(instance)["y1"], (2, 2), value, "y1")
        all_are(values(instance)["y2"], (2, 2), 0, "y2")
    equal([next(iter(i)) for i in answers[1]["instances"]], ["outputs", "error", "outputs"], "A-12")


CALL = {"graph": "step", "inputs": {"h": "x"}, "outputs": {"next": "new"}}


def loop_model(folder):
    """step: h -> relu(h w); pipelines that call it n times, or as often as x has rows."""
    w = np.random.default_rng(5).integers(-2, 3, (24, 24)).astype(np.float32) / 4
    model = folder / "loop.h5"
    write_model(model, {
        "step": graph({"h": ["batch", 24]}, "next", node("MatMul", "h w", "p"),
                      node("Relu", "p", "next")),
        "back": graph({"h": ["batch", 24]}, "out", node("Neg", "h", "out"))}, {"w": w})
    x = {"name": "x", "dtype": "float32", "shape": ["batch", 24]}
    loop = {"carry": {"x": "new"}, "steps": [CALL]}
    back = {"graph": "back", "inputs": {"h": "x"}, "outputs": {"out": "y"}}
    with h5py.File(model, "a") as file:
        file["methods/twice"] = json.dumps({
            "inputs": [x], "outputs": ["next"], "graph": "step", "graph_inputs": {"h": "p"},
            # "p" is what the graph calls a tensor and a node of its own.
            "preprocess": [{"op": "Add", "inputs": ["x", "x"], "outputs": ["p"]}]})
        for name, repeat in (("times", "n"), ("rows", {"extent_of": "x", "dimension": 0})):
            inputs = [x] + [{"name": "n", "dtype": "int64", "shape": [1]}] * (name == "times")
            file[f"pipelines/{name}"] = json.dumps({
                "inputs": inputs, "outputs": ["y"], "steps": [{"repeat": repeat, **loop}, back]})
    return model, w


def looped(x, w, times):
    for _ in range(times):
        x = np.maximum(x @ w, 0)
    return -x


@check
def a_loop_that_the_request_counts(folder):
    model, w = loop_model(folder)
    x = np.arange(3 * 24, dtype=np.float32).reshape(3, 24) % 5
    requests = [{"id": f"n={n}", "method": "times", "inputs": {"x": x.tolist(), "n": [n]}}
                for n in (1, 0, 3, -4, 1_000_001, 2, 9_223_372_036_854_775_807)]
    requests += [{"id": rows, "method": "rows", "inputs": {"x": x[:rows].tolist()}}
                 for rows in (1, 3, 2)]
    many = np.tile(x, (2000, 1))
    requests += [{"id": "many", "method": "times", "encoding": "b64", "inputs": {
        "x": {"b64": base64.b64encode(many.tobytes()).decode(), "shape": [6000, 24]}, "n": [2]}}]
    requests += [{"id": "last", "method": "twice", "inputs": {"x": x.tolist()}}]
    for more in ([], ["--batch", "16"]):
        answers, result = ask(model, requests, *more)
        for answer, n in zip(answers, (1, 0, 3, -4, 1_000_001, 2, 9_223_372_036_854_775_807)):
            if 1 <= n <= 3:
                equal(values(answer)["y"].tolist(), looped(x, w, n).tolist(), f"{n} times")
            else:
                is_error(answer, "repeat", str(n), "legal are 1 to 1000000")
        for answer, rows in zip(answers[7:], (1, 3, 2)):
            equal(values(answer)["y"].tolist(), looped(x[:rows], w, rows).tolist(), f"{rows} rows")
        got = base64.b64decode(answers[-2]["outputs"]["y"]["b64"])
        expect(got == looped(many, w, 2).tobytes(), "6000 rows")
        equal(values(answers[-1])["next"].tolist(), (-looped(2 * x, w, 1)).tolist(), "the method")
        contains(result.stderr, "12 requests, 4 errors", "stderr")


def mixed_requests(seed, count):
    """Calls of graphs, methods and pipelines on inputs of any size, some of them wrong."""
    draw = random.Random(seed)
    for number in range(count):
        rows = draw.randint(0, 4)
        x = {"b64": "", "shape": [0, 24]} if rows == 0 else \
            [[draw.randint(-9, 9) / 3 for _ in range(24)] for _ in range(rows)]
        n = draw.choice([1, 2, 3, 0])
        yield {"id": number, **draw.choice([
            {"graph": "step", "inputs": {"h": x}}, {"graph": 1, "inputs": {"h": x}},
            {"method": "twice", "inputs": {"x": x}}, {"method": "twice", "inputs": {"x": x}},
            {"method": "rows", "inputs": {"x": x}}, {"method": "rows", "inputs": {"x": x}},
            {"method": "times", "inputs": {"x": x, "n": [n]}},
            {"method": "times", "instances": [{"x": x, "n": [2]}, {"x": x}, {"x": "ones", "n": [n]}]},
            {"method": "none", "inputs": {"x": x}}, {"method": "twice", "inputs": {"x": [[1]]}}])}


@check
def mixed_streams_are_answered_as_one_by_one(folder):
    model, _ = loop_model(folder)
    requests = list(mixed_requests(11, 40))
    one_rank = ask(model, requests, np=1)[1].stdout
    for batch in (1, 2, 7, 64) if LONG else (1, 7):
        result = ask(model, requests, "--batch", batch)[1]
        expect(result.stdout == one_rank, f"--batch {batch} answers otherwise than one rank")
    if NP in (1, 2) or LONG:
        alone = requests[:40 if LONG else 8]
        lines = [ask(model, [request])[1].stdout for request in alone]
        expect("".join(lines) == "".join(one_rank.splitlines(True)[:len(alone)]),
               "one by one is answered otherwise")
    no_leftovers(folder)


main()
