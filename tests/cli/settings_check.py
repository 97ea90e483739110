#!/usr/bin/python3
# ranks: 1 8
"""Options from the command line, the environment and a file, and who of them wins."""
from harness import *

GRAPH = {"inputs": [{"name": "x", "dtype": "float32", "shape": [4]}], "outputs": ["y"],
         "nodes": [{"op": "Neg", "inputs": ["x"], "outputs": ["y"]}]}


def printed(result):
    """How many values were printed."""
    equal(result.status, 0, f"status ({result.stderr})")
    return result.stdout.count("-1.0")


@check
def the_command_line_wins_over_the_environment_and_that_over_the_file(folder):
    write_model(folder / "m.h5", GRAPH)
    file = folder / "run.ini"
    file.write_text(f'model = "{folder}/m.h5"\n# a comment\nprint-head = 1\nquiet = true\n'
                    'input = ["x=ones"]\n')
    by_file = run(["--config", file])
    equal(printed(by_file), 1, "by the file")
    equal(tpinfer_lines(by_file.stderr), [], "quiet by the file")
    equal(printed(run(["--config", file], env={"TPINFER_PRINT_HEAD": "2"})), 2, "by environment")
    equal(printed(run(["--config", file, "--print-head", "3"], env={"TPINFER_PRINT_HEAD": "2"})), 3,
          "by the command line")
    equal(printed(run([], env={"TPINFER_MODEL": folder / "m.h5", "TPINFER_INPUT": "x=ones"})), 4,
          "by the environment alone")
    equal(printed(run([], env={"TPINFER_CONFIG": file})), 1, "by the file of the environment")
    (folder / "other.ini").write_text("print-head = 4\n")
    equal(printed(run(["--config", file], env={"TPINFER_CONFIG": folder / "other.ini"})), 1,
          "by the file of the command line alone")
    zeros = run(["--config", file], env={"TPINFER_INPUT": "x=zeros"})
    contains(zeros.stdout, "output data is: -0.0 \n", "an input by the environment")


@check
def a_wrong_setting_is_one_line_whoever_comes_first(folder):
    write_model(folder / "m.h5", GRAPH)
    (folder / "bad.ini").write_text(f'model = "{folder}/m.h5"\nnonsense = 1\n')
    wrong = [(["--mdel", "x"], "--mdel: no such option", 64),
             (["--model", "x", "stray"], '"stray": no option takes it', 64), (["--print-head", "many"], "many", 64),
             (["--model", "x", "--threads", "0"], "--threads", 64),
             (["--model", "x", "--timeout", "nan"], "nan", 64),
             (["--config", folder / "bad.ini"], "no option is called nonsense", 64),
             (["--config", folder / "none.ini"], "none.ini: No such file", 66)]
    for args, word, status in wrong * (3 if NP > 1 else 1):  # which rank is first is chance
        result = run(args)
        equal(result.status, status, f"status of {args}")
        lines = tpinfer_lines(result.stderr)
        expect(len(lines) == 1 and word in lines[0], f"{args}: not one line with {word}: {lines}")
    no_leftovers(folder)


@check
def an_input_of_another_float_type_is_float32(folder):
    for dtype in ("float64", "float16", "bfloat16"):
        graph = {**GRAPH, "inputs": [{"name": "x", "dtype": dtype, "shape": [4]}]}
        write_model(folder / f"{dtype}.h5", graph)
        result = run(["--model", folder / f"{dtype}.h5", "--input", "ones", "--quiet"])
        equal(result.stdout, "tensor's name is:y data size is:16 tensor elements num is:4\n"
              "output data is: -1.0 -1.0 -1.0 -1.0 \n", f"stdout for {dtype}")


main()
