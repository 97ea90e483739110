# ReFrame tests of tpinfer: reframe -c reframe_tpinfer.py -r
# TPINFER_MODEL names the model file, which holds known answers; with the environment module of tpinfer
# loaded the check model that is installed with it serves.
import os

import reframe as rfm
import reframe.utility.sanity as sn

MODEL = os.environ.get("TPINFER_MODEL", os.path.join(
    os.environ.get("TPINFER_ROOT", "/usr/local"), "share/tpinfer/models/fashion_mnist.h5"))


class TpinferBase(rfm.RunOnlyRegressionTest):
    valid_systems = ["*"]
    valid_prog_environs = ["*"]
    executable = "tpinfer"
    num_tasks = parameter([1, 2, 4])
    num_cpus_per_task = 1
    time_limit = "10m"


@rfm.simple_test
class TpinferKnownAnswers(TpinferBase):
    """The known answers of the model on each number of ranks: the line "check: PASS 3/3"."""
    descr = "known answers of a model"
    executable_opts = ["--model", MODEL, "--check"]

    @sanity_function
    def all_answers_agree(self):
        return sn.all([
            sn.assert_found(r"^check: PASS (\d+)/\1$", self.stdout),
            sn.assert_not_found(r"^check: FAIL ", self.stdout),
        ])


@rfm.simple_test
class TpinferRun(TpinferBase):
    """A run whose outputs all ranks hold alike, with its speed."""
    descr = "equal outputs on all ranks, rows per second"
    executable_opts = ["--model", MODEL, "--repeat", "10", "--print-head", "0"]

    @sanity_function
    def all_ranks_agree(self):
        ranks = self.num_tasks
        return sn.assert_found(
            rf"^tpinfer: output \S+ sha256 [0-9a-f]{{64}} equal on {ranks}/{ranks} ranks$",
            self.stderr)

    @performance_function("rows/s")
    def rows_per_second(self):
        return sn.extractsingle(
            r"^tpinfer: \d+ rows in [\d.]+ s: (\d+) rows per second", self.stderr, 1, float)
