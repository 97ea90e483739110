// Two models at once: the ranks of this program's MPI_COMM_WORLD are split into two halves, and
// each half runs the model on its own communicator, cut over its own ranks. Prints a hash per half.
//   mpirun -n 4 ./two_halves model.h5
#include <mpi.h>

#include <cstdio>
#include <tpinfer/mpi.hpp>
#include <tpinfer/tpinfer.hpp>
#include <vector>

// Every input filled with ones, in the largest extents that the model was planned for.
static std::vector<std::vector<std::byte>> memory;
static std::vector<tpinfer::Input> inputs_of_ones(const tpinfer::Model& model) {
  std::vector<tpinfer::Input> inputs;
  for (const tpinfer::ValueInfo& value : model.inputs()) {
    std::vector<std::int64_t> shape = value.shape;
    std::int64_t count = 1;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] < 0) shape[d] = model.extents().at(value.symbols[d]);
      count *= shape[d];
    }
    memory.emplace_back();
    if (value.dtype == "float32") {
      const std::vector<float> ones(static_cast<std::size_t>(count), 1.0F);
      const auto* bytes = reinterpret_cast<const std::byte*>(ones.data());
      memory.back().assign(bytes, bytes + ones.size() * sizeof(float));
    } else if (value.dtype == "uint8") {
      memory.back().assign(static_cast<std::size_t>(count), std::byte{1});
    } else {
      throw tpinfer::Error(tpinfer::Fault::data, "this example knows float32 and uint8 only");
    }
    inputs.push_back({value.name, value.dtype, shape, memory.back().data()});
  }
  return inputs;
}

int main(int argc, char** argv) {
  int level = 0, rank = 0, size = 0, status = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const int half = 2 * rank < size ? 0 : 1;
  MPI_Comm mine = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, half, rank, &mine);
  try {
    tpinfer::Model model(argc > 1 ? argv[1] : "model.h5", tpinfer::communicator(mine));
    for (const tpinfer::Output& y : model.run(inputs_of_ones(model))) {
      if (model.rank() != 0) continue;
      std::printf("half %d: %d ranks, output %s sha256 %s\n", half, model.size(), y.name.c_str(),
                  tpinfer::sha256(y).c_str());
    }
    model.close();
  } catch (const tpinfer::Error& error) {
    // The same on every rank of this half; the other half does not notice.
    int my_rank = 0;
    MPI_Comm_rank(mine, &my_rank);
    if (my_rank == 0) std::fprintf(stderr, "half %d: %s\n", half, error.what());
    status = static_cast<int>(error.fault());
  }
  MPI_Comm_free(&mine);
  MPI_Finalize();
  return status;
}
