// Our collectives against plain MPI's on the same ranks. scripts/bench runs it under mpirun with
// no more ranks than cores and makes the table.
#include <fmt/format.h>
#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "bench/results.hpp"
#include "comm/communicator.hpp"
#include "comm/mpi/session.hpp"
#include "comm/root_reduce.hpp"
#include "kernels/base/leaves.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/combine.hpp"

namespace tpinfer::bench {
namespace {

// The ranks of the world as interleave() wants them.
Ranks all_ranks() {
  return {[] { MPI_Barrier(MPI_COMM_WORLD); },
          [](double seconds) {
            double slowest = seconds;
            MPI_Allreduce(&seconds, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
            return slowest;
          }};
}

// What the ranks of a K-cut matrix product hold: the roots of 16 leaves.
struct Roots {
  std::vector<Range> all;
  std::vector<int> per_rank;

  explicit Roots(int ranks) {
    for (int r = 0; r < ranks; ++r) {
      const std::vector<Range> own = roots_of(split(kMaxLeaves, ranks, r), kMaxLeaves);
      all.insert(all.end(), own.begin(), own.end());
      per_rank.push_back(static_cast<int>(own.size()));
    }
  }
};

// One message size: `bytes` are the vector summed, and what a rank gives to each other one.
void rows(Results& results, comm::Communicator& world, std::size_t bytes, const Effort& effort) {
  const auto ranks = static_cast<std::size_t>(world.size());
  const std::size_t count = bytes / sizeof(float);
  const auto elements = static_cast<std::int64_t>(count);
  const Roots roots(world.size());
  const auto own = static_cast<std::size_t>(roots.per_rank[static_cast<std::size_t>(world.rank())]);
  const std::vector<float> sums(own * count, 1.0F), mine(ranks * count, 1.0F);
  std::vector<float> out(ranks * count);
  std::vector<std::byte> scratch(comm::all_reduce_scratch_bytes(world, roots.per_rank, elements));
  const std::vector<std::size_t> sizes(ranks, bytes);
  const int mpi_bytes = static_cast<int>(bytes), mpi_count = static_cast<int>(count);
  const comm::Combine combine = [&](std::span<const float* const> vectors, std::int64_t n,
                                    float* to) {
    kernels::combine_roots(roots.all, vectors, n, to);
  };
  const std::vector<Contender> contenders = {
      {"all-reduce of roots",
       [&] {
         comm::all_reduce(world, sums.data(), roots.per_rank, elements, combine, out.data(),
                          scratch);
       }},
      {"MPI_Allreduce",
       [&] {
         MPI_Allreduce(mine.data(), out.data(), mpi_count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
       }},
      {"all-gather", [&] { world.all_gather(mine.data(), sizes, out.data()); }},
      {"MPI_Allgather",
       [&] {
         MPI_Allgather(mine.data(), mpi_bytes, MPI_BYTE, out.data(), mpi_bytes, MPI_BYTE,
                       MPI_COMM_WORLD);
       }},
      {"all-to-all", [&] { world.all_to_all(mine.data(), sizes, out.data(), sizes); }},
      {"MPI_Alltoall",
       [&] {
         MPI_Alltoall(mine.data(), mpi_bytes, MPI_BYTE, out.data(), mpi_bytes, MPI_BYTE,
                      MPI_COMM_WORLD);
       }},
  };
  const std::string size = bytes < 1024        ? fmt::format("{} B", bytes)
                           : bytes < (1 << 20) ? fmt::format("{} KiB", bytes >> 10)
                                               : fmt::format("{} MiB", bytes >> 20);
  results.measure(fmt::format("{} x {} ranks", size, ranks), contenders, effort, all_ranks());
  results.compare("all-reduce of roots", "MPI_Allreduce");
  results.compare("all-gather", "MPI_Allgather");
  results.compare("all-to-all", "MPI_Alltoall");
}

void run(bool quick) {
  comm::Session session;
  set_thread_count(1);
  Results results;
  const std::vector<std::size_t> sizes =
      quick ? std::vector<std::size_t>{4, 4096}
            : std::vector<std::size_t>{4, 4096, 16384, 1 << 20, 4 << 20};
  for (const std::size_t bytes : sizes) rows(results, session.world(), bytes, effort_of(quick));
  if (session.world().rank() != 0) return;
  const std::string text = results.json();
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace
}  // namespace tpinfer::bench

int main(int argc, char** argv) {
  try {
    tpinfer::bench::run(tpinfer::bench::is_quick(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "collectives_bench: %s\n", error.what());
    return 70;
  }
}
