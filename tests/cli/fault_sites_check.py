#!/usr/bin/python3
# ranks: 3
"""Every place where a fault can be injected is in the list of comm/fault.cpp, is reached by a run,
and an error there becomes the one documented end of all ranks."""
import concurrent.futures
import json
import re

import numpy as np

import jobs
from answers import MATMUL_NEG, STREAMED, filled, graph, node
from fault_runs import *
from harness import *

FOLDERS = ("comm", "launch", "runtime", "shard")
# A program with libtpinfer: tpinfer itself writes its outputs, and copies none for a caller.
PROBE = BIN / "../tests/library_probe"


def listed():
    text = (SOURCE / "comm/fault.cpp").read_text()
    return set(re.findall(r'"([^"]+)"', re.search(r"kSites\[\] = \{(.*?)\};", text, re.S)[1]))


def written():
    """The names of sites and phases in the source."""
    sites = set()
    for folder in FOLDERS:
        for path in (SOURCE / folder).rglob("*.cpp"):
            text = path.read_text()
            sites |= set(re.findall(r'fault_site\("([^"]+)"\)', text))
            sites |= set(re.findall(r'\btogether\(\s*[\w.()>-]+,\s*"([^"]+)"', text))
    return sites


# Each of these makes the files of a run in a folder, and returns its arguments.


def batches(folder):
    np.save(folder / "labels.npy", np.zeros(ROWS, np.int64))
    return [*Run(folder, batch=5).arguments, "--labels", folder / "labels.npy", "--check-finite",
            "--report", folder / "r.json"]


def known_answers(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)},
                [{"inputs": {"x": filled(1, 128, 96)}, "outputs": {"y": filled(-48, 128)}}])
    return ["--model", folder / "m.h5", "--check"]


def begun_job(folder):
    jobs.killed(jobs.job(folder, output=folder / "y.npy"), np=0)
    return [*jobs.job(folder, output=folder / "y.npy"), "--resume"]


def job_without_time(folder):
    return [*jobs.job(folder, output=folder / "y.npy"), "--resume", "--stop-after", "0.1s"]


def requests(folder):
    write_model(folder / "m.h5", STREAMED, {"w": filled(0.5)})
    (folder / "r.jsonl").write_text(json.dumps({"id": 1, "inputs": {"x": "ones"}}) + "\n")
    return ["--model", folder / "m.h5", "--requests", folder / "r.jsonl", "--output",
            folder / "answers.jsonl"]


def pipeline_of_two_files(folder):
    models = []
    for name in ("a.h5", "b.h5"):
        write_model(folder / name, MATMUL_NEG, {"w": filled(0.5)})
        models += ["--model", folder / name]
    steps = [{"graph": 0, "outputs": {"y": "z"}}, {"graph": 1, "outputs": {"y": "z"}}]
    (folder / "p.json").write_text(json.dumps({"pipelines": {"both": {
        "inputs": ["x"], "outputs": ["z"], "steps": steps}}}))
    return [*models, "--pipelines", folder / "p.json", "--method", "both", "--input", "x=ones"]


def shared_copies(folder):
    """Weights that are large enough to be held once by the ranks of a node."""
    write_model(folder / "m.h5", graph({"x": ["batch", 600]}, "y", node("MatMul", "x w", "y")),
                {"w": filled(0.5, 600, 600)})
    np.save(folder / "x.npy", filled(1, 3, 600))
    return ["--model", folder / "m.h5", "--input", folder / "x.npy", "--mesh", "dp=3"]


def library(folder):
    write_model(folder / "m.h5", MATMUL_NEG, {"w": filled(0.5)})
    write_model(folder / "b.h5", STREAMED, {"w": filled(0.5)})
    (folder / "d.h5").write_bytes((folder / "m.h5").read_bytes()[:3000])
    return ["funneled", folder / "m.h5", folder / "b.h5", folder / "d.h5"]


SITUATIONS = (batches, known_answers, begun_job, job_without_time, requests,
              pipeline_of_two_files, shared_copies, *([library] if PROBE.exists() else []))
# Where the first run to come to a site is not batches().
COMES_TO = {
    known_answers: ("read known answers", "compare known answers"),
    begun_job: ("open progress", "check progress", "restore input", "restore output"),
    job_without_time: ("save progress",),
    requests: ("open requests",),
    pipeline_of_two_files: ("compare weights",),
    library: ("copy output",),
}
# Those of rank 0 alone, in the middle of a phase.
SAVING = ("save rows", "progress written", "progress renamed", "rows saved", "finish output",
          "output finished", "remove progress")
# Those in which ranks cannot agree on an error, and the run that comes there.
NO_AGREEMENT = {"start": batches, "init": batches, "collective": batches, "step": batches,
                "finalize": batches, "request": requests}
# Those with checks of their own: the first takes seconds, the second is in cli.shared_weights.
OWN = {"calibrate", "load", "map weights"}


def disturbed(folder, cases):
    """Runs (how it is made, fault) side by side: their results."""
    def one(numbered):
        number, (make, fault) = numbered
        own = folder / f"{number}"
        own.mkdir()
        arguments = make(own)
        program = PROBE if make is library else "tpinfer"
        quiet = [] if make is library or "--quiet" in arguments else ["--quiet"]
        result = run([*arguments, *quiet], program=program,
                     env={"TPINFER_FAULT": fault, "TPINFER_FAULT_LOG": f"{own}.log"})
        note(f"{make.__name__}: {fault}", result)
        return result
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, enumerate(cases)))


@check
def the_list_is_the_source(folder):
    expect(len(written()) > 20, f"found {written()}")
    equal(written() - listed(), set(), "sites that comm/fault.cpp does not list")
    equal(listed() - written(), set(), "sites that are only listed")


@check
def each_site_is_reached(folder):
    reached = {"calibrate"}  # by its error below
    results = disturbed(folder, [(make, "*:*:*:slow(0)") for make in SITUATIONS])
    for number, (make, result) in enumerate(zip(SITUATIONS, results)):
        name = make.__name__
        equal(result.status, 75 if make is job_without_time else 0, f"{name}: {result.stderr}")
        sites = {line.split(":")[0] for line in (folder / f"{number}.log").read_text().splitlines()}
        equal(set(COMES_TO.get(make, ())) - sites, set(), f"sites that {name} does not come to")
        reached |= sites
    if library not in SITUATIONS:
        reached |= set(COMES_TO[library])
    equal(listed() - reached, set(), "sites that no run came to")


@check
def an_error_at_each_phase(folder):
    np.save(folder / "labels.npy", np.zeros(ROWS, np.int64))
    elsewhere = {*SAVING, *NO_AGREEMENT, *OWN}.union(*COMES_TO.values())
    side_by_side(folder, [{"case": f"{site}: error on rank 2", "status": 65, "batch": 5,
                           "fault": f"{site}:2:1:error",
                           "arguments": ["--labels", folder / "labels.npy", "--check-finite",
                                         "--report", folder / "r.json"],
                           "words": (f"{site}: rank 2 on ", "fault injected")}
                          for site in sorted(listed() - elsewhere)])


@check
def an_error_at_each_phase_of_other_runs(folder):
    cases = [(make, site) for make, sites in COMES_TO.items() if make is not library
             for site in sites]
    results = disturbed(folder, [(make, f"{site}:2:1:error") for make, site in cases])
    for (_, site), result in zip(cases, results):
        refused(result, 65, f"{site}: rank 2 on ", "fault injected")
    no_leftovers(folder)


@check
def an_error_while_progress_is_saved(folder):
    """Rank 0's; what is done stays, and the same command finishes it."""
    cases = [(begun_job, f"{site}:0:1:error") for site in SAVING]
    for number, (case, result) in enumerate(zip(cases, disturbed(folder, cases))):
        refused(result, 65, "write output: rank 0 on ", "fault injected")
        own = folder / f"{number}"
        result = run([*jobs.job(own, output=own / "y.npy"), "--resume", "--quiet"], np=0)
        equal((result.status, result.stderr), (0, ""), f"after {case[1]}")
        expect(np.array_equal(np.load(own / "y.npy"), jobs.X @ jobs.W), f"output after {case[1]}")
        equal(jobs.left_in(own), ["y.npy"], f"files after {case[1]}")
    no_leftovers(folder)


@check
def an_error_where_ranks_cannot_agree(folder):
    ends = (("throw", 70, "fault injected"), ("oom", 71, "out of memory"))
    cases = [(make, f"{site}:2:1:{end[0]}", end)
             for number, (site, make) in enumerate(NO_AGREEMENT.items())
             for end in (ends if LONG else [ends[number % 2]])]
    results = disturbed(folder, [case[:2] for case in cases])
    for (_, fault, (_, status, word)), result in zip(cases, results):
        refused(result, status, word)
        expect(result.seconds < START, f"{fault}: {result.seconds:.1f} s")
    no_leftovers(folder)


@check
def an_error_while_outputs_are_copied(folder):
    if library not in SITUATIONS:
        raise Skipped("this build has no libtpinfer")
    result, = disturbed(folder, [(library, "copy output:2:1:error")])
    equal(result.status, 1, "status")
    equal(result.stderr.count("unexpected: copy output: rank 2 on "), 3, f"errors: {result.stderr}")


@check
def an_error_while_costs_are_measured(folder):
    result = run(["--calibrate", folder / "costs.json"], env={"TPINFER_FAULT": "calibrate:1:1:oom"})
    refused(result, 71, "calibrate: rank 1 on ", "out of memory")
    expect(not (folder / "costs.json").exists(), "no cost table")


main(table)
