#!/usr/bin/python3
# ranks: 1 2 3 8
"""The request loop: JSON lines in, an answer line for each, in order, whatever comes."""
import base64
import json
import random
import re
import subprocess

import numpy as np

from answers import STREAMED, filled, graph, node, report
from harness import *

ADD = graph({"x1": [2, 2], "x2": [2, 2]}, "y", node("Add", "x1 x2", "y"))
# Rows with a bias of the request's own; rows and columns of any number.
FREE = graph({"a": ["batch", "width"], "b": ["width"]}, "sum twice", node("Add", "a b", "sum"),
             node("Add", "sum sum", "twice"))
# The same with a bias that has no rows: requests with equal ones may share a run.
ROWS = graph({"a": ["batch", "width"], "b": [1, "width"]}, "sum", node("Add", "a b", "sum"))
WIDE = graph({"a": ["batch", "width"]}, "out", node("Neg", "a", "out"))
MIXED = graph({"a": ["batch", 4]}, "total", node("ReduceSum", "a axes", "total", keepdims=0))
KINDS = graph({"i": ("int32", [2]), "b": ("bool", [2]), "k": ("uint8", [2])}, "i b k")


def model(folder, name="m.h5"):
    """Graphs 0 matmul, 1 add, 2 free, 3 mixed, 4 rows, 5 wide."""
    weights = {"w": filled(0.5), "axes": np.array([0], np.int64)}
    write_model(folder / name, {"matmul": STREAMED, "add": ADD, "free": FREE, "mixed": MIXED,
                                "rows": ROWS, "wide": WIDE}, weights)
    return ["--model", folder / name]


def lines(*requests):
    return b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n"
                    for r in requests)


def ask(arguments, text, **options):
    """The answers to these lines as objects, and the result of the run. Short ones come by stdin;
    mpirun may fail on long ones (docs/command-line.md)."""
    if len(text) > 60000:
        path = arguments[1].with_name("requests.jsonl")
        path.write_bytes(text)
        result = run([*arguments, "--requests", path], **options)
        path.unlink()
    else:
        process = start([*arguments, "--requests", "-"], stdin=subprocess.PIPE, **options)
        process.stdin.write(text)
        process.stdin.close()
        process.stdin = None
        result = finish(process)
    return [json.loads(line) for line in result.stdout.splitlines()], result


def array(output):
    return np.array(output["data"], output["dtype"]).reshape(output["shape"])


def is_error(answer, code, *parts):
    if expect("error" in answer, f"no error: {answer}"):
        equal(answer["error"]["code"], code, f"the code of {answer}")
        for part in parts:
            contains(answer["error"]["message"], str(part), "the message")


@check
def answers_come_in_order_and_hold_what_a_run_gives(folder):
    x = np.arange(5 * 96, dtype=np.float32).reshape(5, 96) % 7
    answers, result = ask(model(folder), lines(
        {"id": 1, "inputs": {"x": "ones"}}, b"", b"  \t",
        {"id": "two", "graph": "add", "inputs": {"x1": [[1, 1], [1, 1]], "x2": [[1, 2], [3.5, 4]]}},
        {"id": 3.5, "graph": 0, "inputs": {"x": x.tolist()}},
        {"graph": "free", "inputs": {"a": [[1, 2, 3]], "b": [0.5, 0.25, -1]}, "outputs": ["twice"]},
        {"id": 5, "version": 1, "graph": 2, "inputs": {"a": "zeros", "b": [1]}}))
    equal(result.status, 0, f"status; {result.stderr}")
    equal([a["id"] for a in answers], [1, "two", 3.5, None, 5], "ids")
    equal(answers[0]["outputs"], {"y": {"dtype": "float32", "shape": [1, 16],
                                        "data": [[-48.0] * 16]}}, "A-6 by rows")
    equal(answers[1]["outputs"]["y"]["data"], [[2.0, 3.0], [4.5, 5.0]], "x1 + x2")
    equal(array(answers[2]["outputs"]["y"]).tolist(), (-(x @ filled(0.5))).tolist(), "matmul")
    equal(answers[3]["outputs"], {"twice": {"dtype": "float32", "shape": [1, 3],
                                            "data": [[3.0, 4.5, 4.0]]}}, "the output asked for")
    equal(answers[4]["outputs"]["sum"]["data"], [[1.0]], "extents of a symbol that nobody knows")
    contains(result.stderr, "5 requests, 0 errors", "stderr")
    equal(len(tpinfer_lines(result.stderr)), len(result.stderr.splitlines()), "lines of ours")
    no_leftovers(folder)


@check
def a_bad_request_is_answered_and_ends_nothing(folder):
    good = {"x1": [[1, 1], [1, 1]], "x2": "ones"}
    bad = [
        ({"graph": "add", "inputs": {"x1": "ones"}}, 65, "cannot find input x2"),
        ({"graph": "add", "inputs": {**good, "x3": "ones"}}, 65, "x3", "x1, x2"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 1, 1]] * 2}}, 65, "(2,3)", "(2,2)"),
        ({"graph": "add", "inputs": {**good, "x1": [[True, False]] * 2}}, 65, "float32"),
        ({"graph": 9, "inputs": good}, 65, "matmul, add, free, mixed", "0 to 5"),
        ({"method": "nope", "inputs": good}, 65, "nope", "matmul, add"),
        ({"version": 7, "inputs": good}, 65, "version 7", "1"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], [3]]}}, 65, "x1", "dimension 1",
         "a size of 1", "expected 2"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], 3]}}, 65, "dimension 1"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], [3, [4]]]}}, 65, "dimension 2"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], [3, "4"]]}}, 65, "a string"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], [3, None]]}}, 65, "null"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], [3, {}]]}}, 65, "an object"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], [3, True]]}}, 65, "mixes"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], [3, 16777217]]}}, 65, "16777217"),
        ({"graph": "add", "inputs": {**good, "x1": [[1, 2], [3, 1e39]]}}, 65, "float32"),
        ({"graph": "add", "inputs": {**good, "x1": None}}, 65, "null"),
        ({"graph": "add", "inputs": {**good, "x1": "none.npy"}}, 66, "x1", "none.npy"),
        ({"graph": "add", "inputs": {**good, "x1": "example"}}, 65, "no example"),
        ({"graph": "add", "inputs": {**good, "x1": "/"}}, 66, "folder"),
        ({"graph": "add", "inputs": {**good, "x1": "a\0b"}}, 65, "NUL"),
        ({"graph": "free", "inputs": {"a": [[1, 2, 3]], "b": [1, 2]}}, 65, "width", "3", "2"),
        ({"graph": "add", "inputs": good, "outputs": ["z"]}, 65, "z", "y"),
        ({"graph": "add", "inputs": good, "outputs": ["y", "y"]}, 65, "twice"),
        ({"graph": "add", "inputs": good, "outputs": "y"}, 65, "outputs"),
        ({"graph": "add", "inputs": good, "encoding": "xml"}, 65, "xml", "b64"),
        ({"graph": "add", "inputs": good, "input": {}}, 65, '"input"', "known: "),
        ({"graph": "add", "inputs": good, "instances": [good]}, 65, "exclude"),
        ({"graph": "add", "method": "add", "inputs": good}, 65, "exclude"),
        ({"graph": "add"}, 65, "inputs"),
        ({"graph": -1, "inputs": good}, 65, "-1"),
        ({"graph": 1.5, "inputs": good}, 65, "1.5"),
        ({"version": "1", "inputs": good}, 65, "version"),
        ({"inputs": [1]}, 65, "inputs"),
        ({"inputs": good, "outputs": [1]}, 65, "outputs"),
    ]
    texts = [
        (b"", None), (b"{}", "missing"), (b"[1]", "object"), (b"3", "object"), (b'"x"', "object"),
        (b'{"id":1', "JSON"), (b'{"id":1}}', "JSON"), (b'{"a":1}', '"a"'), (b"{'id':1}", "JSON"),
        (b'{"id":1,"inputs":{"x":NaN}}', "JSON"), (b'{"id":1,"inputs":{"x":[[Infinity]]}}', "JSON"),
        (b'{"id":1,"inputs":{"x":1e999}}', "1e999"), (b'{"id":01,"inputs":{}}', "JSON"),
        (b'{"id":1,"id":2,"inputs":{}}', "id"),
        (b'{"id":1,"inputs":{"x":"ones","x":"ones"}}', "twice"),
        (b'{"id":1,"inputs":{"x\xff":1}}', "JSON"), (b'{"id":"\xc3\x28","inputs":{}}', "JSON"),
        (b'{"id":1,"inputs":{"x":"\\ud800"}}', "JSON"), (b'{"id":1}\0{"id":2}', "NUL"),
        (b'{"id":1,"inputs":' + b"[" * 100000, "inputs"),
        (b'{"id":1,"inputs":{"x":' + b"[" * 100000, "deep"),
        (b'{"id":1,"inputs":{"x":' + b'{"a":' * 100000, "deep"),
        (b'{"id":{},"inputs":{}}', "id"), (b'{"id":null,"inputs":{}}', "id"),
        (b'{"id":true,"inputs":{}}', "id"), (b"\xfe\xff\x00", "NUL"), (b"\x80\x81", "JSON")]
    sent = []
    for number, (request, *_) in enumerate(bad):
        sent += [{"id": number, **request}, {"id": "good", "graph": "add", "inputs": good}]
    answers, result = ask(model(folder), lines(*sent, *(text for text, _ in texts),
                                               {"id": "last", "graph": "add", "inputs": good}))
    equal(result.status, 0, f"status; {result.stderr}")
    equal(len(answers), 2 * len(bad) + len(texts), "answers, one per line that is not empty")
    for number, (_, code, *parts) in enumerate(bad):
        equal(answers[2 * number]["id"], number, "id")
        is_error(answers[2 * number], code, *parts)
        equal(answers[2 * number + 1]["outputs"]["y"]["data"], [[2.0, 2.0]] * 2, "the next one")
    for answer, (_, part) in zip(answers[2 * len(bad):], texts[1:]):
        is_error(answer, 65, part)
    equal(answers[-1]["id"], "last", "the last")
    expect("outputs" in answers[-1], f"the last: {answers[-1]}")
    no_leftovers(folder)


@check
def instances_are_answered_one_by_one(folder):
    only_on(1, 2, 8)
    def add(value):
        return {"x1": [[value] * 2] * 2, "x2": [[value] * 2] * 2}
    answers, result = ask(model(folder), lines(
        {"id": 1, "graph": "add", "instances": [add(1), add(2), add(3)]},
        {"id": 2, "graph": "add", "instances": [add(1), {"x1": [[1, [2]]]}, add(3)]},
        {"id": 3, "graph": "add", "instances": add(2)},
        {"id": 4, "graph": "add", "instances": [add(1), 7, {"x1": "ones"}]},
        {"id": 5, "graph": "add", "instances": []},
        {"id": 6, "graph": "nope", "instances": [add(1)]}))
    equal(result.status, 0, f"status; {result.stderr}")
    values = [[instance["outputs"]["y"]["data"] for instance in answers[i]["instances"]]
              for i in (0, 2)]
    equal(values, [[[[2.0] * 2] * 2, [[4.0] * 2] * 2, [[6.0] * 2] * 2], [[[4.0] * 2] * 2]], "A-87")
    equal([sorted(instance) for instance in answers[1]["instances"]],
          [["outputs"], ["error"], ["outputs"]], "A-12")
    equal(answers[1]["instances"][2]["outputs"]["y"]["data"], [[6.0] * 2] * 2, "the third")
    equal([sorted(i) for i in answers[3]["instances"]], [["outputs"], ["error"], ["error"]], "4")
    equal(answers[4]["instances"], [], "no instances")
    is_error(answers[5], 65, "nope")
    contains(result.stderr, "6 requests, 4 errors", "stderr")


@check
def base64_and_element_types(folder):
    only_on(1, 8)
    write_model(folder / "k.h5", {"kinds": {**KINDS, "outputs": ["j", "c", "l"], "nodes": [
        node("Identity", "i", "j"), node("Identity", "b", "c"), node("Identity", "k", "l")]},
        "pairs": graph({"x": ("int64", [3, 2])}, "y", node("Identity", "x", "y")),
        "one": graph({"x": [1]}, "y", node("Identity", "x", "y"))})
    def encoded(array, **more):
        return {"b64": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(), **more}
    a80 = {"b64": "AQACAAIAAwADAAQA", "type": "int16", "shape": [3, 2]}
    rest = {"b": [True, False], "k": [0, 255]}
    good = [
        ({"graph": "pairs", "inputs": {"x": a80}}, {"y": [[1, 2], [2, 3], [3, 4]]}),
        ({"graph": "kinds", "inputs": {"i": [1, -2], **rest}},
         {"j": [1, -2], "c": [True, False], "l": [0, 255]}),
        ({"graph": "kinds", "inputs": {
            "i": encoded(np.array([5, -6], np.int8), type="int8", shape=[2]),
            "b": encoded(np.array([0, 1], bool), type="bool", shape=[2]),
            "k": encoded(np.array([7, 8], np.uint8), shape=[2])}},
         {"j": [5, -6], "c": [False, True], "l": [7, 8]}),
        ({"graph": "one", "inputs": {"x": encoded(np.float32(1.5))}}, {"y": [1.5]}),
        ({"graph": "one", "inputs": {"x": encoded(np.float16(0.1), type="fp16")}},
         {"y": [0.099975586]}),
        ({"graph": "one", "inputs": {"x": encoded(np.float64(0.1), type="float64")}},
         {"y": [0.1]}),
        ({"graph": "one", "inputs": {"x": [-0.0]}}, {"y": [-0.0]}),
        ({"graph": "one", "inputs": {"x": [1e-45]}}, {"y": [1e-45]}),
        ({"graph": "one", "inputs": {"x": [9007199254740992]}}, {"y": [9007199000000000.0]}),
    ]
    bad = [
        ({"graph": "pairs", "inputs": {"x": {**a80, "shape": [2, 3]}}}, "(2,3)", "(3,2)"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "shape": [3, 3]}}}, "12", "18"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "type": "float32"}}}, "12", "24"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "type": "str"}}}, "text"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "type": "int7"}}}, "int7", "int8"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "b64": "AQACAAIAAwADAAQ"}}}, "multiple of 4"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "b64": "AQACAAIAAwADA*QA"}}}, "position 13"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "b64": "AQACAAIAAwAD=AQA"}}}, "position 12"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "shape": [2 ** 62, 2 ** 62]}}}, "overflows"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "shape": [-3, -2]}}}, "-3"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "shape": 6}}}, "shape"),
        ({"graph": "pairs", "inputs": {"x": {**a80, "more": 6}}}, "more", "b64"),
        ({"graph": "pairs", "inputs": {"x": {"type": "int16"}}}, "0 bytes"),
        ({"graph": "one", "inputs": {"x": encoded(np.int32(1), type="int32")}}, "int32", "float32"),
        ({"graph": "pairs", "inputs": {"x": [[1.5, 2], [3, 4], [5, 6]]}}, "floats", "int64"),
        ({"graph": "kinds", "inputs": {"i": [2 ** 31, 0], **rest}}, "2147483648", "int32"),
        ({"graph": "kinds", "inputs": {"i": [1, 2], **rest, "k": [0, -1]}}, "-1", "uint8"),
        ({"graph": "kinds", "inputs": {"i": [1, 2], **rest, "b": [0, 1]}}, "integers", "bool"),
        ({"graph": "kinds", "inputs": {"i": [1, 2], **rest,
                                       "b": encoded(np.array([0, 2], np.uint8), type="bool",
                                                    shape=[2])}}, "bool of 2 at element 1"),
        ({"graph": "pairs", "inputs": {"x": [[2 ** 64 - 1, 2], [3, 4], [5, 6]]}}, "int64"),
    ]
    answers, result = ask(["--model", folder / "k.h5"],
                          lines(*(r for r, _ in good), *(r for r, *_ in bad)))
    equal(result.status, 0, f"status; {result.stderr}")
    for answer, (request, want) in zip(answers, good):
        if expect("outputs" in answer, f"{request}: {answer}"):
            got = {name: output["data"] for name, output in answer["outputs"].items()}
            equal(json.dumps(got), json.dumps(want), f"{request}")
    for answer, (_, *parts) in zip(answers[len(good):], bad):
        is_error(answer, 65, *parts)


@check
def outputs_as_base64_and_what_is_not_finite(folder):
    only_on(1, 3)
    x = np.array([[np.nan, np.inf, -np.inf, 1, 2 ** -149]], np.float32)
    given = {"b64": base64.b64encode(x.tobytes()).decode(), "shape": [1, 5]}
    answers, result = ask(model(folder), lines(
        {"id": 1, "graph": "free", "inputs": {"a": given, "b": [0] * 5}, "outputs": ["sum"]},
        {"id": 2, "graph": "free", "inputs": {"a": given, "b": [0] * 5}, "encoding": "b64"}))
    equal(answers[0]["outputs"]["sum"]["data"], [["nan", "inf", "-inf", 1.0, 1e-45]], "as numbers")
    output = answers[1]["outputs"]["sum"]
    equal(base64.b64decode(output["b64"]), x.tobytes(), "as bytes")
    equal(sorted(output), ["b64", "dtype", "shape"], "keys")
    answers, result = ask([*model(folder), "--check-finite"], lines(
        {"id": 1, "graph": "free", "inputs": {"a": given, "b": [0] * 5}},
        {"id": 2, "graph": "free", "inputs": {"a": [[1]], "b": [1]}}))
    equal(result.status, 0, "status with --check-finite")
    is_error(answers[0], 65, "nan", "input a")
    expect("outputs" in answers[1], f"the next one: {answers[1]}")


# What no answer may replace, and the file that it is.
OWN = {"the model": "m.h5", "the requests": "r.jsonl", "the answers": "answers.jsonl",
       "the report": "report.json"}


@check
def files_in_and_out(folder):
    x = np.arange(96 * 3, dtype=np.float32).reshape(3, 96)
    np.save(folder / "x.npy", x)
    np.savez(folder / "x.npz", x=x, other=x)
    np.save(folder / "wrong.npy", x.astype(np.int32))
    requests = folder / "r.jsonl"
    requests.write_bytes(lines(
        {"id": "a", "inputs": {"x": "x.npy"}, "encoding": "b64"},
        {"id": "b", "inputs": {"x": "x.npz"}, "encoding": "out-{id}.npy"},
        {"id": "c", "instances": [{"x": "x.npz:other"}, {"x": "x.npy"}],
         "encoding": "{id}-{instance}-{output}.npy"},
        {"id": "../d", "inputs": {"x": "x.npy"}, "encoding": "{id}.npy"},
        {"id": "e", "instances": [{"x": "x.npy"}] * 2, "encoding": "{id}.npy"},
        {"id": "f", "inputs": {"x": "x.npy"}, "encoding": "no/such/folder/y.npy"},
        {"id": "g", "inputs": {"x": "wrong.npy"}},
        {"id": "h", "graph": "free", "inputs": {"a": [[1]], "b": [1]}, "encoding": "h.npy"},
        *({"id": what, "inputs": {"x": "x.npy"}, "encoding": f"{what}.npy"} for what in OWN)))
    arguments = model(folder)
    for what, name in OWN.items():
        (folder / f"{what}.npy").symlink_to(folder / name)
    before = (folder / "m.h5").read_bytes(), requests.read_bytes()
    (folder / "answers.jsonl").write_bytes(b"an older file\n" * 1000)
    (folder / "report.json").write_text("an older report")
    result = run([*arguments, "--requests", requests, "--output", "answers.jsonl",
                  "--report", "report.json"], cwd=folder)
    equal((result.status, result.stdout), (0, ""), f"status; {result.stderr}")
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    want = -(x @ filled(0.5))
    equal(base64.b64decode(answers[0]["outputs"]["y"]["b64"]), want.tobytes(), "from x.npy")
    equal(answers[1]["outputs"]["y"], {"dtype": "float32", "shape": [3, 16], "file": "out-b.npy"},
          "the answer to b")
    for name in ("out-b.npy", "c-0-y.npy", "c-1-y.npy"):
        equal(np.load(folder / name).tolist(), want.tolist(), name)
    is_error(answers[3], 65, "../d")
    is_error(answers[4], 65, "{instance}")
    is_error(answers[5], 73, "no/such/folder")
    is_error(answers[6], 65, "int32", "float32")
    is_error(answers[7], 65, "{output}")
    for answer, what in zip(answers[8:], OWN):
        is_error(answer, 64, what)
    equal(((folder / "m.h5").read_bytes(), requests.read_bytes()), before, "model and requests")
    counts = report(folder / "report.json")["requests"]
    equal([counts[key] for key in ("answered", "instances", "errors", "runs")], [12, 11, 9, 10],
          "the report")
    for target in (requests, folder / "m.h5"):
        refused(run([*arguments, "--requests", requests, "--output", target]), 64, target)
    no_leftovers(folder)


@check
def ends_of_lines_and_lines_that_are_too_long(folder):
    only_on(1, 8)
    request = json.dumps({"id": 1, "graph": "free", "inputs": {"a": [[1]], "b": [2]},
                          "outputs": ["sum"]}).encode()
    long = request[:-1] + b', "encoding": "' + b"x" * 4096 + b'"}'
    exact = request + b" " * (1024 - len(request))
    text = (b"\n\r\n" + request + b"\r\n" + long + b"\n" + exact + b"\r\n" + exact + b" \n"
            + b"y" * 3_000_000 + b"\n" + request)
    answers, result = ask([*model(folder), "--max-request", "1024"], text)
    equal(result.status, 0, f"status; {result.stderr}")
    equal(["outputs" in answer for answer in answers], [True, False, True, False, False, True],
          "answers")
    for number, size in ((1, len(long)), (3, 1025), (4, 3_000_000)):
        is_error(answers[number], 65, size, "--max-request 1024")
    answers, result = ask(model(folder), b"")
    equal((result.status, answers), (0, []), "no requests")


def random_requests(seed, count):
    """Requests of all graphs and sizes, some of them wrong."""
    draw = random.Random(seed)
    requests = []
    for number in range(count):
        rows, width = draw.randint(0, 5), draw.choice([3, 3, 3, 4])
        def block(rows, columns):
            flat = np.array([draw.randint(-9, 9) / 3 for _ in range(rows * columns)], np.float32)
            return {"b64": base64.b64encode(flat.tobytes()).decode(), "shape": [rows, columns]}
        kind = draw.choice(["matmul", "matmul", "rows", "rows", "wide", "wide", "free", "mixed",
                            "add", "bad", "many"])
        bias = [1, 2, 3, 4][:width] if draw.random() < 0.8 else [5] * width
        request = {
            "matmul": {"inputs": {"x": block(rows, 96)}},
            "free": {"graph": "free", "inputs": {"a": block(rows, width), "b": bias}},
            "rows": {"graph": "rows", "inputs": {"a": block(rows, width), "b": [bias]}},
            "wide": {"graph": "wide", "inputs": {"a": block(rows, width)}},
            "mixed": {"graph": "mixed", "inputs": {"a": block(rows + 1, 4)}},
            "add": {"graph": "add", "inputs": {"x1": block(2, 2), "x2": "ones"}},
            "bad": {"inputs": {"x": block(rows, 95)}},
            "many": {"instances": [{"x": block(draw.randint(0, 3), 96)} for _ in range(rows)]},
        }[kind]
        requests.append({"id": number, **request})
    return requests


@check
def sharing_runs_and_ranks_changes_no_byte(folder):
    (folder / "r.jsonl").write_bytes(lines(*random_requests(NP, 60)))
    arguments = [*model(folder), "--requests", folder / "r.jsonl"]
    first = run(arguments, np=1)
    equal(first.status, 0, f"status; {first.stderr}")
    equal(len(first.stdout.splitlines()), 60, "answers")
    runs = []
    for batch in (1, 2, 7, 64):
        result = run([*arguments, "--batch", batch])
        equal(result.status, 0, f"status; {result.stderr}")
        expect(result.stdout == first.stdout, f"--batch {batch} answers otherwise than one rank")
        runs.append(int(re.search(r"(\d+) runs? in", result.stderr)[1]))
    expect(runs[-1] < runs[0] / 2, f"runs with --batch 1, 2, 7, 64: {runs}")
    if NP > 1:
        for mesh in ("dp=2", "pp=2"):
            more = ["--mesh", mesh + (f",tp={NP // 2}" if NP % 2 == 0 else "")]
            if NP % 2 == 0:
                result = run([*arguments[:2], "--graph", "matmul", *arguments[2:], "--batch", "7",
                              "--batch-size", "8", *more])
                alone = run([*arguments[:2], "--graph", "matmul", *arguments[2:]], np=1)
                equal((result.status, alone.status), (0, 0), f"status; {result.stderr}")
                expect(result.stdout == alone.stdout, f"{mesh} answers otherwise than one rank")


main()
