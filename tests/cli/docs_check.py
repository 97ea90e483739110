#!/usr/bin/python3
# ranks: none
"""The documentation is true: its transcripts, its script, its links, its lists."""
import re

from harness import *
import transcripts

PAGES = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", SOURCE / "examples/README.md",
         *sorted((SOURCE / "docs").glob("*.md"))]


def page(name):
    return (SOURCE / name).read_text()


def texts_in(path, pattern):
    return re.findall(pattern, (SOURCE / path).read_text(), re.S)


def all_documented(names, text, where):
    equal([name for name in names if f"`{name}`" not in text], [], f"not in {where}")


@check
def the_script_of_the_format_stands_verbatim_and_runs(folder):
    script = page("examples/matmul_neg.py")
    contains(page("docs/model-format.md"), f"```python\n{script}```\n", "docs/model-format.md")
    contains(page("docs/model-format.md"),
             f"```python\n{page('examples/sharded_matmul.py')}```\n", "docs/model-format.md")
    (folder / "shims").mkdir()
    block = [("python3 " + str(SOURCE / "examples/matmul_neg.py"), []),
             ("mpirun -n 8 tpinfer --model matmul_neg.h5 --input x=ones", [])]
    _, (printed, logged) = transcripts.run_block(block, folder)
    equal(printed, ["tensor's name is:y data size is:8192 tensor elements num is:2048",
                    "output data is: -72960.0 -73056.0 -73152.0 -73248.0 -73344.0 -73440.0 "
                    "-73536.0 -73632.0 -73728.0 -73824.0 "], "stdout")
    expect(any("equal on 8/8 ranks" in line for line in logged), f"no equal outputs: {logged!r}")
    no_leftovers(folder)


@check
def transcripts_are_what_the_programs_print(folder):
    ran = 0
    for path in PAGES:
        own = folder / "-".join(path.relative_to(SOURCE).parts)
        own.mkdir()
        (own / "examples").symlink_to(SOURCE / "examples")
        for command, problem in transcripts.differences(path.read_text(), own):
            ran += 1
            expect(not problem, f"{path.relative_to(SOURCE)}: $ {command}: {problem}")
    expect(ran >= 20, f"only {ran} commands were found")


@check
def links_lead_somewhere(folder):
    links = 0
    for path in PAGES:
        text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)]+)\)", text):
            file, _, anchor = target.partition("#")
            if file.startswith("https:"):
                continue
            links += 1
            linked = (path.parent / file) if file else path
            if expect(linked.exists(), f"{path.name}: {target} does not exist") and anchor:
                headings = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading
                            in re.findall(r"^#+ (.*)$", linked.read_text(), re.M)]
                expect(anchor in headings, f"{path.name}: {target}: no such heading")
    expect(links > 20, f"only {links} links were found")


@check
def every_key_and_operator_of_a_graph_is_explained(folder):
    text = page("docs/model-format.md")
    lists = texts_in("shard/plan/graph_parse.cpp", r"object_at\([^;]*?\{([^}]*)\}\)")
    keys = {key for keys in lists for key in re.findall(r'"(\w+)"', keys)}
    expect(len(keys) > 8, f"keys of a graph: {keys}")
    all_documented(sorted(keys), text, "docs/model-format.md")
    operators = texts_in("runtime/operator_table.cpp", r'\{"(\w+)", \w+_op\}')
    expect(len(operators) > 35, f"operators: {operators}")
    all_documented([*operators, "Gemm"], text, "docs/model-format.md")


@check
def every_attribute_of_an_operator_is_explained(folder):
    text = page("docs/model-format.md")
    lists = [words for file in sorted((SOURCE / "runtime/ops").glob("*.cpp"))
             for words in re.findall(r'_op\{[^"}]*"([^"]*)"\}', file.read_text())]
    names = {word.split("=")[0] for words in lists for word in words.split()}
    expect(len(names) > 20, f"attributes: {names}")
    all_documented(sorted(names), text, "docs/model-format.md")


@check
def every_option_is_explained(folder):
    text = page("docs/command-line.md")
    commands = ["import", "inspect", "plan", "shard", "reshard", "merge", "verify", "diff"]
    helps = [("tpinfer", run([*words, "--help"], np=0).stdout) for words in ([], ["launch"])]
    helps += [(f"tpmodel {command}", run([command, "--help"], np=0, program="tpmodel").stdout)
              for command in commands]
    for program, help_text in helps:
        options = re.findall(r"^ +(?:-\w,)?(--[a-z-]+)", help_text, re.M)
        expect("--help" in options, f"{program}: {help_text!r}")
        section = text[text.index(f"## {program.split()[0]}"):]
        equal([o for o in options if not re.search(rf"`[^`\n]*{o}\b[^`\n]*`", section)], [],
              f"options of {program} that docs/command-line.md does not explain")


@check
def every_key_of_a_report_is_explained(folder):
    keys = texts_in("launch/report.cpp", r'\{"(\w+)", ') + texts_in("launch/report.cpp",
                                                                     r'json\["(\w+)"\]')
    expect(len(keys) > 25, f"keys: {keys}")
    all_documented(sorted(set(keys)), page("docs/command-line.md"), "docs/command-line.md")


@check
def every_key_of_a_request_is_explained(folder):
    lists = texts_in("launch/requests/request.cpp", r"std::set<std::string> \w+\{([^}]*)\}")
    keys = [key for words in lists for key in re.findall(r'"(\w+)"', words)]
    expect(len(keys) > 9, f"keys: {keys}")
    text = page("docs/command-line.md")
    equal([key for key in keys if f"`{key}`" not in text and f'"{key}":' not in text], [],
          "not in docs/command-line.md")
    rows = [key for key in keys[:8] if f"\n| `{key}` |" not in text]
    equal(rows, [], "not in the table of docs/command-line.md")


@check
def every_exit_code_is_explained(folder):
    codes = texts_in("kernels/base/error.hpp", r"\w+ = (\d+),")
    equal(len(codes), 11, "exit codes")
    text = page("docs/exit-codes.md")
    equal([code for code in codes if f"| {code} |" not in text], [], "not in docs/exit-codes.md")


main()
