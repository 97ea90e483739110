// What the ranks of a library test expect, and agree on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <tpinfer/tpinfer.hpp>

namespace tpinfer::probe {

// The communicator whose ranks a check is about, by its Fortran handle.
struct Ranks {
  int handle = 0;
};

// Counts one expectation on this rank; a failure is printed with the rank and goes on.
void expect(bool condition, const std::string& what);

// Expects `call` to throw tpinfer::Error with this fault on every rank, and with the same text,
// which has all the parts. Collective over `ranks`.
void expect_error(Ranks ranks, Fault fault, const std::vector<std::string>& parts,
                  const std::function<void()>& call);

// Rank 0 of MPI_COMM_WORLD prints "<n> passed, <m> failed" of all ranks. Collective. Whether all
// held.
bool finish();

// Inputs of ones in the model's largest extents.
class Ones {
 public:
  explicit Ones(const Model& model);
  std::vector<Input> inputs;

 private:
  std::vector<std::vector<std::byte>> memory_;
};

}  // namespace tpinfer::probe
