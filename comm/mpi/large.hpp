// Transfers beyond MPI's int counts, in pieces of at most `chunk` bytes. Communicators are given as
// Fortran handles, so that mpi.h stays out of headers. All are collective, but exchange: between
// pairs. Each beats once per piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tpinfer::comm::large {

void broadcast(int comm, void* data, std::size_t bytes, int root, std::size_t chunk);

// One broadcast after another: at these sizes the wire is full anyhow.
void all_gather(int comm, const void* mine, std::span<const std::size_t> bytes_per_rank, void* out,
                std::size_t chunk);

void gather(int comm, const void* mine, std::span<const std::size_t> bytes_per_rank, void* out,
            int root, std::size_t chunk);

// Moves the pairs of more than `above` bytes of an all-to-all; the sizes are those of all pairs.
void exchange(int comm, const std::byte* send, std::span<const std::size_t> send_bytes,
              std::byte* receive, std::span<const std::size_t> receive_bytes, std::size_t above,
              std::size_t chunk);

void all_reduce_sum(int comm, float* data, std::int64_t count, std::size_t chunk);

void reduce_scatter_sum(int comm, const float* in, std::span<const std::size_t> counts, float* out,
                        std::size_t chunk);

}  // namespace tpinfer::comm::large
