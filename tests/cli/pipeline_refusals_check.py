#!/usr/bin/python3
# ranks: 1 3
"""What is refused of graphs, methods and pipelines, and what is said: A-11, A-13, A-14."""
import numpy as np

from harness import *
from pipelines import add_calls, graph, seed_model


@check
def names_that_do_not_exist(folder):
    model = seed_model(folder)
    refused(run(["--model", model, "--graph", "2"]), 65, "no graph 2", "0 (matmul_0)",
            "1 (matmul_1)")
    refused(run(["--model", model, "--method", "nope"]), 65, "no method nope",
            "fun1, fun2, predict")
    refused(run(["--model", model, "--model-version", "7"]), 65, "7", "no version")
    add_calls(model, version=3)
    refused(run(["--model", model, "--model-version", "7"]), 65, "--model-version 7",
            "has version 3")
    equal(run(["--model", model, "--model-version", "3", "--graph", "1"]).status, 0, "status")
    refused(run(["--model", model, "--graph", "0", "--method", "fun1"]), 64, "--method")


BAD_PIPELINES = [
    ({"steps": [{"graph": 2}]}, ["step 0", "no graph 2", "0 (main)"]),
    ({"steps": [{"method": "nope"}]}, ["step 0", "no method nope", "m"]),
    ({"steps": [{"method": "other"}]}, ["step 0", "is a pipeline"]),
    ({"steps": [{"graph": 0, "inputs": {"q": "x"}}]}, ["step 0", "no input q", "it has x"]),
    ({"steps": [{"graph": 0, "outputs": {"q": "x"}}]}, ["step 0", "no output q", "it has y"]),
    ({"steps": [{"graph": 0, "inputs": {"x": "v"}}]}, ["step 0", "nobody gave v a value"]),
    ({"steps": [{"graph": 0, "speed": 1}]}, ["step 0", "unknown key \"speed\""]),
    ({"steps": [{"graph": 0, "method": "m"}]}, ["step 0", "wants one of"]),
    ({"steps": []}, ["empty"]),
    ({"steps": [{"repeat": -1, "steps": [{"graph": 0}]}]}, ["step 0", "-1", "1 to 1000000"]),
    ({"steps": [{"repeat": 10**9, "steps": [{"graph": 0}]}]}, ["step 0", "1000000000"]),
    ({"steps": [{"steps": [{"graph": 0}]}]}, ["step 0", "\"repeat\" is missing"]),
    ({"steps": [{"repeat": 2, "carry": {"x": "y"}, "steps": [{"graph": 0}]}]},
     ["step 0", "carry", "(128,96)", "(128,16)"]),
    ({"outputs": ["x"], "steps": [{"repeat": 2, "steps": [{"graph": 0, "outputs": {"y": "x"}}]}]},
     ["step 0", "x is float32 (128,96) before the loop", "(128,16)"]),
    ({"steps": [{"repeat": "x", "steps": [{"graph": 0}]}]}, ["step 0", "repeat", "one integer"]),
    ({"steps": [{"repeat": 2, "until": "y", "steps": [{"graph": 0}]}]}, ["until", "(128,16)"]),
    ({"steps": [{"graph": 0}, {"graph": 0, "inputs": {"x": "y"}}]},
     ["step 1", "float32 (128,96)", "y is float32 (128,16)"]),
    ({"outputs": ["v"], "steps": [{"graph": 0}]}, ["outputs", "nobody gave v a value"]),
    ({"inputs": ["x", "n"], "steps": [{"graph": 0}]}, ["input n", "write its name, dtype"]),
    ({"steps": [{"repeat": 2, "carry": {"x": "v"}, "steps": [{"graph": 0}]}]},
     ["step 0: \"carry\"", "nobody gave v a value"]),
    ({"steps": [{"repeat": 2, "until": "v", "steps": [{"graph": 0}]}]},
     ["step 0: \"until\"", "nobody gave v a value"]),
    ({"inputs": ["x", "n"], "steps": [{"graph": 0, "outputs": {"y": "n"}},
                                      {"graph": 0, "inputs": {"x": "n"}, "outputs": {"y": "y"}}]},
     ["input n", "write its name, dtype"]),
    ({"inputs": ["x", "x"], "steps": [{"graph": 0}]}, ["names x twice"]),
]


@check
def bad_pipelines(folder):
    for number, (pipeline, parts) in enumerate(BAD_PIPELINES):
        model = folder / f"bad{number}.h5"
        write_model(model, graph([128, 96]), {"w": np.ones((96, 16), np.float32)})
        add_calls(model, {"m": {"inputs": ["x"], "outputs": ["y"], "graph": 0}},
                  {"other": {"inputs": ["x"], "outputs": ["y"], "steps": [{"graph": 0}]},
                   "predict": {"inputs": ["x"], "outputs": ["y"], **pipeline}})
        refused(run(["--model", model, "--method", "predict"]), 65, "pipeline predict", *parts)


@check
def two_outputs_into_one_variable(folder):
    model = folder / "two.h5"
    write_model(model, graph([128, 96], outputs=("p", "y")), {"w": np.ones((96, 16), np.float32)})
    step = {"graph": 0, "outputs": {"p": "v", "y": "v"}}
    add_calls(model, {}, {"predict": {"inputs": ["x"], "outputs": ["v"], "steps": [step]}})
    refused(run(["--model", model, "--method", "predict"]), 65, "pipeline predict", "step 0",
            "outputs p and y both go into v")


BAD_METHODS = [
    ({"inputs": ["x"], "outputs": ["y"], "graph": 5}, ["no graph 5"]),
    ({"inputs": ["x"], "outputs": ["y"], "graph": "main", "grph": 1}, ["unknown key \"grph\""]),
    ({"outputs": ["y"], "graph": "main"}, ["\"inputs\" is missing"]),
    ({"inputs": ["v"], "outputs": ["y"], "graph": 0}, ["input v", "goes into no input"]),
    ({"inputs": ["x"], "outputs": ["v"], "graph": 0}, ["output v"]),
    ({"inputs": ["x"], "outputs": ["y"], "graph": 0, "graph_inputs": {"q": "x"}},
     ["no input q", "it has x"]),
    ({"inputs": ["x"], "outputs": ["y"], "graph": 0,
      "postprocess": [{"op": "Nope", "inputs": ["y"], "outputs": ["z"]}]}, ["Nope"]),
    ("{\"inputs\": [", []),
    ("[]", ["must be a JSON object"]),
]


@check
def bad_methods(folder):
    for number, (method, parts) in enumerate(BAD_METHODS):
        model = folder / f"bad{number}.h5"
        write_model(model, graph([128, 96]), {"w": np.ones((96, 16), np.float32)})
        add_calls(model, {"m": method})
        refused(run(["--model", model, "--method", "m"]), 65, "m", *parts)


main()
