// Runs a model on a communicator of a program that has called MPI_Init itself.
//
//   tpinfer::Model model("model.h5", tpinfer::communicator(MPI_COMM_WORLD), {.options = {"--mesh",
//   "tp=2"}}); std::vector<tpinfer::Output> y = model.run({tpinfer::floats("x", {128, 96}, x)});
//
// What it leaves alone: MPI_Init, MPI_Finalize and the communicator (it works on a duplicate),
// signals, stdout, stderr, exit codes, the floating-point environment, HDF5's and BLAS's settings.
// Nothing here ends the process, unless --timeout asks for the watchdog.
//
// Errors are tpinfer::Error. Members marked collective are called by all ranks of the communicator,
// in the same order; they throw the same error on all of them, after which the model can go on
// being used (but a failed constructor leaves none). Calls come from one thread, the one that may
// call MPI (MPI_THREAD_FUNNELED is enough); MPI_THREAD_MULTIPLE is needed for nothing but a sharper
// watchdog.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tpinfer/error.hpp>

namespace tpinfer {

// A communicator by its Fortran handle (MPI_Comm_c2f), so that this header needs no mpi.h;
// tpinfer/mpi.hpp makes one. `library` is the MPI that the handle is of: "" is not checked.
struct Communicator {
  int fortran_handle = 0;
  std::string library;
};

// An input or output of the graph.
struct ValueInfo {
  std::string name;
  std::string dtype;                 // as NumPy says it: "float32", "int64", "bool"
  std::vector<std::int64_t> shape;   // -1 where the extent is a symbol
  std::vector<std::string> symbols;  // "batch" there, "" elsewhere
};

// The caller's memory: dense, C order. It is read during run() only.
struct Input {
  std::string name;
  std::string dtype;  // exactly the graph's
  std::vector<std::int64_t> shape;
  const void* data = nullptr;
};

// An input of float32.
inline Input floats(std::string name, std::vector<std::int64_t> shape, const float* data) {
  return {std::move(name), "float32", std::move(shape), data};
}

// Dense, C order; every NaN is 0x7fc00000.
struct Output {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;

  // data as elements of T, which must be what dtype says.
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(data.data());
  }
};

// Whose inputs count: those of every rank, which must be equal bit for bit, or those of rank 0,
// which are sent to the others (whose own are not looked at).
enum class InputsOf { every_rank, rank_0 };

struct Settings {
  // Options of the command line that say how to run (docs/library.md lists them), such as
  // {"--mesh", "tp=2", "--kernels", "blas"}. The same on all ranks.
  std::vector<std::string> options = {};
  // The largest extents that run() may bring: {{"batch", 64}}. What is not named is as in the
  // model's first example, else 1. The same on all ranks.
  std::map<std::string, std::int64_t> extents = {};
  // Gets the lines that tpinfer writes to stderr when the plan is made and the weights are loaded;
  // called on rank 0 only. Must not throw.
  std::function<void(const std::string&)> log = {};
};

// A loaded model: each rank of the communicator holds its share of the weights. Several may live at
// once, on the same communicator or on others.
class __attribute__((visibility("default"))) Model {
 public:
  // Opens, plans and loads. Collective. `path` as for tpinfer --model, the same on all ranks; rank
  // 0 checks the file in a process of its own (tpinfer-preflight).
  Model(const std::string& path, const Communicator& communicator, const Settings& settings = {});
  // Like close(), where the program forgot it; an error is not heard.
  ~Model();
  Model(Model&& other) noexcept;
  Model& operator=(Model&& other) noexcept;

  int rank() const;  // in the communicator
  int size() const;
  const std::vector<ValueInfo>& inputs() const;
  const std::vector<ValueInfo>& outputs() const;

  // The largest extents that run() may bring, of every symbol.
  const std::map<std::string, std::int64_t>& extents() const;
  // Changes some of them: plans anew and loads the weights again. Collective. When it fails, the
  // model is as it was.
  void set_extents(const std::map<std::string, std::int64_t>& extents);

  // The outputs in the graph's order, the same bits on every rank. Collective. Throws Fault::data
  // for inputs that are missing, unknown or do not fit, and for extents beyond extents();
  // Fault::disagreement when ranks bring different inputs.
  std::vector<Output> run(const std::vector<Input>& inputs, InputsOf whose = InputsOf::every_rank);

  // Gives everything back. Collective; before MPI_Finalize. Any other use afterwards throws
  // Fault::usage; closing twice is fine.
  void close();

 private:
  struct State;
  State& state() const;
  std::unique_ptr<State> state_;
};

// SHA-256 of an output's bytes in hexadecimal, as tpinfer prints it.
__attribute__((visibility("default"))) std::string sha256(const Output& output);

// "tpinfer 0.1.0 (Open MPI 4.1.4, HDF5 1.10.8, OpenBLAS 0.3.21, SIMD AVX2)".
__attribute__((visibility("default"))) std::string version();

}  // namespace tpinfer
