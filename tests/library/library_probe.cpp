// A program of a user of the library, which expects what tpinfer/tpinfer.hpp promises:
//   mpirun -n N library_probe single|funneled|multiple|watchdog matmul_neg.h5 batched.h5 damaged.h5
// Prints the hashes of outputs, failures, and "<n> passed, <m> failed".
#include <hdf5.h>
#include <mpi.h>
#include <signal.h>

#include <cfenv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>
#include <tpinfer/mpi.hpp>
#include <tpinfer/tpinfer.hpp>

#include "tests/library/probe.hpp"

namespace {

using namespace tpinfer;
using probe::expect;
using probe::expect_error;
using probe::Ones;

struct Files {
  std::string matmul, batched, damaged;
};

int rank_in(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  return rank;
}

int size_of(MPI_Comm comm) {
  int size = 0;
  MPI_Comm_size(comm, &size);
  return size;
}

probe::Ranks ranks_of(MPI_Comm comm) { return {static_cast<int>(MPI_Comm_c2f(comm))}; }

std::string hash_of_ones(Model& model) {
  const Ones ones(model);
  return sha256(model.run(ones.inputs).at(0));
}

void say_hash(const char* what, MPI_Comm comm, const std::string& hash) {
  if (rank_in(comm) == 0) std::printf("hash %s %s\n", what, hash.c_str());
}

std::string run_on(MPI_Comm comm, const std::string& file) {
  Model model(file, communicator(comm));
  expect(model.size() == size_of(comm) && model.rank() == rank_in(comm), "rank and size");
  const std::string hash = hash_of_ones(model);
  model.close();
  return hash;
}

void on_the_world_and_on_parts(const Files& files) {
  say_hash("matmul", MPI_COMM_WORLD, run_on(MPI_COMM_WORLD, files.matmul));
  // Two halves, each with another model at the same time.
  const int rank = rank_in(MPI_COMM_WORLD), size = size_of(MPI_COMM_WORLD);
  const int half = 2 * rank < size ? 0 : 1;
  MPI_Comm part = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, half, rank, &part);
  say_hash(half == 0 ? "matmul" : "batched", part,
           run_on(part, half == 0 ? files.matmul : files.batched));
  MPI_Comm_free(&part);
  // The last rank as rank 0; a communicator of one rank.
  MPI_Comm_split(MPI_COMM_WORLD, 0, -rank, &part);
  say_hash("batched", part, run_on(part, files.batched));
  MPI_Comm_free(&part);
  say_hash("matmul", MPI_COMM_SELF, run_on(MPI_COMM_SELF, files.matmul));
}

void several_models_at_once(const Files& files) {
  Model a(files.matmul, communicator(MPI_COMM_WORLD), {.options = {"--kernels=blas"}});
  Model b(files.batched, communicator(MPI_COMM_WORLD),
          {.options = {"--plan", "batch", "--threads", "2"}, .extents = {{"batch", 5}}});
  for (int i = 0; i < 2; ++i) {
    say_hash("matmul", MPI_COMM_WORLD, hash_of_ones(a));
    say_hash("batched5", MPI_COMM_WORLD, hash_of_ones(b));
  }
  a = std::move(b);
  say_hash("batched5", MPI_COMM_WORLD, hash_of_ones(a));
}

void values_are_described(const Files& files) {
  Model model(files.batched, communicator(MPI_COMM_WORLD), {.extents = {{"batch", 3}}});
  const ValueInfo& x = model.inputs().at(0);
  expect(x.name == "x" && x.dtype == "float32", "the input's name and type");
  expect(x.shape == std::vector<std::int64_t>{-1, 96} && x.symbols.at(0) == "batch",
         "the input's shape");
  const ValueInfo& y = model.outputs().at(0);
  expect(y.name == "y" && y.shape == std::vector<std::int64_t>{3, 16}, "the output");
  const std::vector<float> ones(96, 1.0F);
  const std::vector<Output> out = model.run({floats("x", {1, 96}, ones.data())});
  expect(out.at(0).shape == std::vector<std::int64_t>{1, 16}, "fewer rows than planned");
  expect(out.at(0).as<float>()[0] == -48.0F, "a value of the output");
}

void extents_can_change(const Files& files) {
  Model model(files.batched, communicator(MPI_COMM_WORLD), {.extents = {{"batch", 2}}});
  const std::vector<float> rows(5 * 96, 1.0F);
  const auto world = ranks_of(MPI_COMM_WORLD);
  const auto run5 = [&] { return model.run({floats("x", {5, 96}, rows.data())}); };
  expect_error(world, Fault::data, {"batch", "5", "2", "set_extents"}, run5);
  model.set_extents({{"batch", 5}});
  say_hash("batched5", MPI_COMM_WORLD, sha256(run5().at(0)));
  expect_error(world, Fault::usage, {"rows", "batch"}, [&] { model.set_extents({{"rows", 1}}); });
  expect_error(world, Fault::usage, {"-1"}, [&] { model.set_extents({{"batch", -1}}); });
  expect_error(world, Fault::memory, {}, [&] { model.set_extents({{"batch", 1LL << 38}}); });
  if (size_of(MPI_COMM_WORLD) > 1) {
    expect_error(world, Fault::disagreement, {"extents"}, [&] {
      model.set_extents({{"batch", 6 + rank_in(MPI_COMM_WORLD)}});
    });
  }
  say_hash("batched5", MPI_COMM_WORLD, sha256(run5().at(0)));
}

void loading_fails_alike(const Files& files) {
  const auto world = ranks_of(MPI_COMM_WORLD);
  const Communicator comm = communicator(MPI_COMM_WORLD);
  const auto load = [&](const std::string& file, const Settings& settings) {
    return [&comm, file, settings] { Model model(file, comm, settings); };
  };
  expect_error(world, Fault::no_input, {"none.h5"}, load("none.h5", {}));
  expect_error(world, Fault::data, {files.damaged}, load(files.damaged, {}));
  expect_error(world, Fault::usage, {"--input"}, load(files.matmul, {.options = {"--input", "x"}}));
  expect_error(world, Fault::usage, {"--kernels"},
               load(files.matmul, {.options = {"--kernels", "gpu"}}));
  expect_error(world, Fault::usage, {"--threads", "1 required"},
               load(files.matmul, {.options = {"--threads"}}));
  expect_error(world, Fault::usage, {"batch"}, load(files.matmul, {.extents = {{"batch", 1}}}));
  expect_error(world, Fault::data, {"no graph other"},
               load(files.matmul, {.options = {"--graph", "other"}}));
  Communicator foreign = comm;
  foreign.library = "Another MPI";
  expect_error(world, Fault::config, {"Another MPI"}, [&] { Model model(files.matmul, foreign); });
  expect_error(world, Fault::usage, {"MPI_COMM_NULL"},
               [&] { Model model(files.matmul, communicator(MPI_COMM_NULL)); });
  if (size_of(MPI_COMM_WORLD) == 1) return;
  const bool last = rank_in(MPI_COMM_WORLD) == size_of(MPI_COMM_WORLD) - 1;
  expect_error(world, Fault::disagreement, {"rank"}, load(last ? files.batched : files.matmul, {}));
  expect_error(world, Fault::disagreement, {"rank"},
               load(files.matmul, {.options = {"--kernels", last ? "blas" : "eigen"}}));
  // A usage error of one rank only.
  expect_error(world, Fault::usage, {"--none"},
               load(files.matmul, {.options = last ? std::vector<std::string>{"--none"}
                                                   : std::vector<std::string>{}}));
}

void inputs_fail_alike(const Files& files) {
  const auto world = ranks_of(MPI_COMM_WORLD);
  Model model(files.matmul, communicator(MPI_COMM_WORLD));
  std::vector<float> x(128 * 96, 1.0F);
  const Input good = floats("x", {128, 96}, x.data());
  const auto run = [&](const std::vector<Input>& inputs, InputsOf whose = InputsOf::every_rank) {
    return [&model, inputs, whose] { model.run(inputs, whose); };
  };
  expect_error(world, Fault::data, {"input x is missing"}, run({}));
  expect_error(world, Fault::data, {"twice"}, run({good, good}));
  expect_error(world, Fault::data, {"no input is called z"},
               run({good, floats("z", {1}, x.data())}));
  expect_error(world, Fault::data, {"(96,128)", "(128,96)"},
               run({floats("x", {96, 128}, x.data())}));
  expect_error(world, Fault::data, {"(128,)"}, run({floats("x", {128}, x.data())}));
  expect_error(world, Fault::data, {"int64"}, run({{"x", "int64", {128, 96}, x.data()}}));
  expect_error(world, Fault::data, {"no data"}, run({floats("x", {128, 96}, nullptr)}));
  const int rank = rank_in(MPI_COMM_WORLD), last = size_of(MPI_COMM_WORLD) - 1;
  if (last > 0) {
    expect_error(world, Fault::data, {"is missing"},
                 run(rank == last ? std::vector<Input>{} : std::vector{good}));
    x[7] = static_cast<float>(rank == last ? 2 : 1);
    expect_error(world, Fault::disagreement, {"input x", "rank"}, run({good}));
    Model rows(files.batched, communicator(MPI_COMM_WORLD), {.extents = {{"batch", 2}}});
    expect_error(world, Fault::disagreement, {"the shape of the inputs", "rank"}, [&] {
      rows.run({floats("x", {rank == last ? 1 : 2, 96}, x.data())}, InputsOf::every_rank);
    });
    expect_error(world, Fault::disagreement, {"whose inputs"},
                 run({good}, rank == last ? InputsOf::rank_0 : InputsOf::every_rank));
  }
  // Rank 0's alone: nobody looks at the others'.
  const std::vector<Output> y =
      model.run(rank == 0 ? std::vector{good} : std::vector<Input>{}, InputsOf::rank_0);
  say_hash("matmul", MPI_COMM_WORLD, sha256(y.at(0)));
  expect_error(world, Fault::data, {"is missing"}, run({}, InputsOf::rank_0));
  x[7] = 1;
  say_hash("matmul", MPI_COMM_WORLD, hash_of_ones(model));
  model.close();
  model.close();
  expect_error(world, Fault::usage, {"closed"}, run({good}));
}

herr_t printer(hid_t, void*) { return 0; }

// What the process looks like from outside.
struct Surroundings {
  int rounding = std::fegetround();
  MPI_Errhandler errors = MPI_ERRHANDLER_NULL;
  H5E_auto2_t print = nullptr;
  unsigned int plugins = 0;
  std::vector<void (*)(int)> handlers;

  Surroundings() {
    MPI_Comm_get_errhandler(MPI_COMM_WORLD, &errors);
    void* data = nullptr;
    H5Eget_auto2(H5E_DEFAULT, &print, &data);
    H5PLget_loading_state(&plugins);
    for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGPIPE, SIGALRM, SIGXFSZ, SIGCHLD}) {
      struct sigaction action {};
      sigaction(number, nullptr, &action);
      handlers.push_back(action.sa_handler);
    }
  }
  bool operator==(const Surroundings&) const = default;
};

void nothing_else_changes(const Files& files) {
  std::fesetround(FE_UPWARD);
  H5Eset_auto2(H5E_DEFAULT, printer, nullptr);
  H5PLset_loading_state(H5PL_ALL_PLUGIN);
  const Surroundings before;
  {
    Model model(files.batched, communicator(MPI_COMM_WORLD));
    expect(Surroundings() == before, "surroundings after loading");
    say_hash("batched", MPI_COMM_WORLD, hash_of_ones(model));
    expect(Surroundings() == before, "surroundings after a run");
    expect_error(ranks_of(MPI_COMM_WORLD), Fault::data, {}, [&] { model.run({}); });
    expect(Surroundings() == before, "surroundings after an error");
  }
  expect(Surroundings() == before, "surroundings after the end");
  expect(before.rounding == FE_UPWARD && before.print == printer, "surroundings are seen");
  std::fesetround(FE_TONEAREST);
}

void the_log_goes_to_the_caller(const Files& files) {
  std::vector<std::string> lines;
  Settings settings;
  settings.log = [&](const std::string& line) { lines.push_back(line); };
  const Model model(files.matmul, communicator(MPI_COMM_WORLD), settings);
  if (rank_in(MPI_COMM_WORLD) == 0) {
    bool weights = false;
    for (const std::string& line : lines) weights |= line.starts_with("weights: ");
    expect(weights, "the log tells of weights");
  } else {
    expect(lines.empty(), "only rank 0 logs");
  }
}

// A rank may stay away from the library for longer than the watchdog's limit.
void work_between_calls(const Files& files) {
  Model model(files.matmul, communicator(MPI_COMM_WORLD), {.options = {"--timeout", "1"}});
  for (int i = 0; i < 2; ++i) {
    if (rank_in(MPI_COMM_WORLD) == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    }
    say_hash("matmul", MPI_COMM_WORLD, hash_of_ones(model));
  }
}

void everything(const Files& files) {
  nothing_else_changes(files);  // first: a change by one of the others would go unseen
  on_the_world_and_on_parts(files);
  several_models_at_once(files);
  values_are_described(files);
  extents_can_change(files);
  loading_fails_alike(files);
  inputs_fail_alike(files);
  the_log_goes_to_the_caller(files);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  const Files files{argv[2], argv[3], argv[4]};
  const std::string level = argv[1];
  bool refused = false;
  try {
    const Model model(files.matmul, communicator(MPI_COMM_WORLD));
  } catch (const Error& error) {
    refused = error.fault() == Fault::config;
  }
  int got = 0;
  MPI_Init_thread(&argc, &argv,
                  level == "multiple" || level == "watchdog" ? MPI_THREAD_MULTIPLE
                  : level == "funneled"                      ? MPI_THREAD_FUNNELED
                                                             : MPI_THREAD_SINGLE,
                  &got);
  expect(refused, "a model before MPI_Init is refused");
  expect(version().starts_with("tpinfer "), version());
  try {
    level == "watchdog" ? work_between_calls(files) : everything(files);
  } catch (const Error& error) {  // on every rank, so that MPI can be ended here
    std::fputs(("unexpected: " + std::string(error.what()) + "\n").c_str(), stderr);
    MPI_Finalize();
    return 1;
  }
  Model late(files.matmul, communicator(MPI_COMM_WORLD));
  const Ones ones(late);
  const bool good = probe::finish();
  MPI_Finalize();
  try {
    late.run(ones.inputs);
  } catch (const Error& error) {
    return good && error.fault() == Fault::config ? 0 : 1;
  }
  return 1;
}
