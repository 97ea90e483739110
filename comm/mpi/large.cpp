#include "comm/mpi/large.hpp"

#include <mpi.h>

#include <algorithm>
#include <cstring>

#include "comm/mpi/check.hpp"
#include "kernels/base/heartbeat.hpp"

namespace tpinfer::comm::large {
namespace {

constexpr int kTag = 1;

int rank_in(MPI_Comm comm) {
  int rank = 0;
  check_mpi(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
  return rank;
}

// Calls body(offset, count) for pieces of at most `chunk`.
template <typename Body>
void pieces(std::size_t total, std::size_t chunk, const Body& body) {
  for (std::size_t offset = 0; offset < total; offset += chunk) {
    body(offset, static_cast<int>(std::min(chunk, total - offset)));
    beat();
  }
}

std::size_t floats_in(std::size_t chunk) { return std::max<std::size_t>(1, chunk / sizeof(float)); }

}  // namespace

void broadcast(int handle, void* data, std::size_t bytes, int root, std::size_t chunk) {
  const MPI_Comm comm = MPI_Comm_f2c(handle);
  pieces(bytes, chunk, [&](std::size_t offset, int count) {
    check_mpi(MPI_Bcast(static_cast<std::byte*>(data) + offset, count, MPI_BYTE, root, comm),
              "MPI_Bcast");
  });
}

void all_gather(int handle, const void* mine, std::span<const std::size_t> bytes_per_rank,
                void* out, std::size_t chunk) {
  const int me = rank_in(MPI_Comm_f2c(handle));
  auto* to = static_cast<std::byte*>(out);
  for (std::size_t r = 0; r < bytes_per_rank.size(); ++r) {
    const int root = static_cast<int>(r);
    if (root == me && bytes_per_rank[r] > 0) std::memcpy(to, mine, bytes_per_rank[r]);
    broadcast(handle, to, bytes_per_rank[r], root, chunk);
    to += bytes_per_rank[r];
  }
}

void gather(int handle, const void* mine, std::span<const std::size_t> bytes_per_rank, void* out,
            int root, std::size_t chunk) {
  const MPI_Comm comm = MPI_Comm_f2c(handle);
  const int me = rank_in(comm);
  const auto* from = static_cast<const std::byte*>(mine);
  if (me != root) {
    pieces(bytes_per_rank[static_cast<std::size_t>(me)], chunk, [&](std::size_t at, int count) {
      check_mpi(MPI_Send(from + at, count, MPI_BYTE, root, kTag, comm), "MPI_Send");
    });
    return;
  }
  auto* to = static_cast<std::byte*>(out);
  for (std::size_t r = 0; r < bytes_per_rank.size(); ++r) {
    const int source = static_cast<int>(r);
    if (source == me && bytes_per_rank[r] > 0) std::memcpy(to, mine, bytes_per_rank[r]);
    pieces(source == me ? 0 : bytes_per_rank[r], chunk, [&](std::size_t at, int count) {
      check_mpi(MPI_Recv(to + at, count, MPI_BYTE, source, kTag, comm, MPI_STATUS_IGNORE),
                "MPI_Recv");
    });
    to += bytes_per_rank[r];
  }
}

void exchange(int handle, const std::byte* send, std::span<const std::size_t> send_bytes,
              std::byte* receive, std::span<const std::size_t> receive_bytes, std::size_t above,
              std::size_t chunk) {
  const MPI_Comm comm = MPI_Comm_f2c(handle);
  const auto ranks = send_bytes.size();
  const auto me = static_cast<std::size_t>(rank_in(comm));
  const auto offset_of = [](std::span<const std::size_t> bytes, std::size_t rank) {
    std::size_t offset = 0;
    for (std::size_t r = 0; r < rank; ++r) offset += bytes[r];
    return offset;
  };
  // In step s everyone sends to the rank s after it, so that both ends of a pair meet.
  for (std::size_t step = 0; step < ranks; ++step) {
    const std::size_t to = (me + step) % ranks;
    const std::size_t from = (me + ranks - step) % ranks;
    const std::byte* out = send + offset_of(send_bytes, to);
    std::byte* in = receive + offset_of(receive_bytes, from);
    const std::size_t out_bytes = send_bytes[to] > above ? send_bytes[to] : 0;
    const std::size_t in_bytes = receive_bytes[from] > above ? receive_bytes[from] : 0;
    if (step == 0) {
      if (out_bytes > 0) std::memcpy(in, out, out_bytes);
      continue;
    }
    pieces(std::max(out_bytes, in_bytes), chunk, [&](std::size_t offset, int) {
      const auto left = [&](std::size_t bytes) {
        return static_cast<int>(std::min(chunk, bytes - std::min(bytes, offset)));
      };
      const int out_count = left(out_bytes), in_count = left(in_bytes);
      const int destination = out_count > 0 ? static_cast<int>(to) : MPI_PROC_NULL;
      const int source = in_count > 0 ? static_cast<int>(from) : MPI_PROC_NULL;
      check_mpi(MPI_Sendrecv(out_count > 0 ? out + offset : nullptr, out_count, MPI_BYTE,
                             destination, kTag, in_count > 0 ? in + offset : nullptr, in_count,
                             MPI_BYTE, source, kTag, comm, MPI_STATUS_IGNORE),
                "MPI_Sendrecv");
    });
  }
}

void all_reduce_sum(int handle, float* data, std::int64_t count, std::size_t chunk) {
  const MPI_Comm comm = MPI_Comm_f2c(handle);
  pieces(static_cast<std::size_t>(count), floats_in(chunk), [&](std::size_t offset, int n) {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, data + offset, n, MPI_FLOAT, MPI_SUM, comm),
              "MPI_Allreduce");
  });
}

void reduce_scatter_sum(int handle, const float* in, std::span<const std::size_t> counts,
                        float* out, std::size_t chunk) {
  const MPI_Comm comm = MPI_Comm_f2c(handle);
  const int me = rank_in(comm);
  for (std::size_t r = 0; r < counts.size(); ++r) {
    const int root = static_cast<int>(r);
    pieces(counts[r], floats_in(chunk), [&](std::size_t offset, int n) {
      float* to = root == me ? out + offset : nullptr;
      check_mpi(MPI_Reduce(in + offset, to, n, MPI_FLOAT, MPI_SUM, root, comm), "MPI_Reduce");
    });
    in += counts[r];
  }
}

}  // namespace tpinfer::comm::large
