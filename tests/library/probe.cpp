#include "tests/library/probe.hpp"

#include <mpi.h>

#include <cstdio>
#include <cstring>

namespace tpinfer::probe {
namespace {

long counts[2] = {0, 0};  // failed, passed

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

// Whether all ranks have this text.
bool equal_everywhere(Ranks ranks, const std::string& text) {
  constexpr int kBytes = 1024;
  MPI_Comm comm = MPI_Comm_f2c(ranks.handle);
  char first[kBytes] = "";
  std::strncpy(first, text.c_str(), kBytes - 1);
  MPI_Bcast(first, kBytes, MPI_CHAR, 0, comm);
  int equal = text.substr(0, kBytes - 1) == first;
  MPI_Allreduce(MPI_IN_PLACE, &equal, 1, MPI_INT, MPI_MIN, comm);
  return equal == 1;
}

}  // namespace

void expect(bool condition, const std::string& what) {
  ++counts[condition ? 1 : 0];
  if (!condition) std::printf("FAIL rank %d: %s\n", world_rank(), what.c_str());
}

void expect_error(Ranks ranks, Fault fault, const std::vector<std::string>& parts,
                  const std::function<void()>& call) {
  std::string text = "nothing was thrown";
  int code = 0;
  try {
    call();
  } catch (const Error& error) {
    text = error.what();
    code = static_cast<int>(error.fault());
  }
  expect(code == static_cast<int>(fault),
         "want fault " + std::to_string(static_cast<int>(fault)) + ": " + text);
  for (const std::string& part : parts) {
    expect(text.find(part) != std::string::npos, "\"" + part + "\" is not in: " + text);
  }
  expect(equal_everywhere(ranks, std::to_string(code) + text), "ranks throw differently: " + text);
}

bool finish() {
  MPI_Allreduce(MPI_IN_PLACE, counts, 2, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
  if (world_rank() == 0) std::printf("%ld passed, %ld failed\n", counts[1], counts[0]);
  return counts[0] == 0 && counts[1] > 0;
}

Ones::Ones(const Model& model) {
  for (const ValueInfo& value : model.inputs()) {
    std::vector<std::int64_t> shape = value.shape;
    std::int64_t count = 1;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] < 0) shape[d] = model.extents().at(value.symbols[d]);
      count *= shape[d];
    }
    std::vector<std::byte>& memory = memory_.emplace_back();
    if (value.dtype == "float32") {
      memory.resize(static_cast<std::size_t>(count) * sizeof(float));
      for (std::int64_t i = 0; i < count; ++i) {
        const float one = 1;
        std::memcpy(memory.data() + static_cast<std::size_t>(i) * sizeof one, &one, sizeof one);
      }
    } else {
      memory.assign(static_cast<std::size_t>(count), std::byte{1});
    }
    inputs.push_back({value.name, value.dtype, shape, memory.data()});
  }
}

}  // namespace tpinfer::probe
