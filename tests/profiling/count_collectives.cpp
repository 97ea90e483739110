// Counts a program's collectives: preload it (LD_PRELOAD) and name a file in TPINFER_PMPI_OUT. In
// MPI_Finalize rank 0 writes one line of JSON with its own calls and the bytes it passed to them:
//   {"MPI_Allgather":{"calls":2,"bytes":64},"MPI_Bcast":{"calls":1,"bytes":8}}
// An MPI library's own inner collectives do not come by here.
#define OMPI_SKIP_MPICXX 1   // the C++ bindings need a library that is not there when
#define MPICH_SKIP_MPICXX 1  // this one is preloaded
#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

namespace {

struct Count {
  long long calls = 0;
  long long bytes = 0;
};

std::mutex mutex;
std::map<std::string, Count> counts;

void count(const char* call, long long elements, MPI_Datatype type) {
  int size = 0;
  PMPI_Type_size(type, &size);
  const std::lock_guard lock(mutex);
  ++counts[call].calls;
  counts[call].bytes += elements * size;
}

long long sum_over(MPI_Comm comm, const int* values) {
  int ranks = 0;
  PMPI_Comm_size(comm, &ranks);
  long long sum = 0;
  for (int r = 0; r < ranks; ++r) sum += values[r];
  return sum;
}

int ranks_of(MPI_Comm comm) {
  int ranks = 0;
  PMPI_Comm_size(comm, &ranks);
  return ranks;
}

void write_counts() {
  int rank = 0;
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const char* path = std::getenv("TPINFER_PMPI_OUT");
  if (rank != 0 || path == nullptr) return;
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return;
  const char* separator = "{";
  for (const auto& [call, n] : counts) {
    std::fprintf(file, "%s\"%s\":{\"calls\":%lld,\"bytes\":%lld}", separator, call.c_str(), n.calls,
                 n.bytes);
    separator = ",";
  }
  std::fputs(counts.empty() ? "{}\n" : "}\n", file);
  std::fclose(file);
}

}  // namespace

extern "C" {

int MPI_Barrier(MPI_Comm comm) {
  count("MPI_Barrier", 0, MPI_BYTE);
  return PMPI_Barrier(comm);
}

int MPI_Bcast(void* data, int n, MPI_Datatype type, int root, MPI_Comm comm) {
  count("MPI_Bcast", n, type);
  return PMPI_Bcast(data, n, type, root, comm);
}

int MPI_Allgather(const void* send, int n, MPI_Datatype type, void* receive, int m,
                  MPI_Datatype receive_type, MPI_Comm comm) {
  count("MPI_Allgather", n, type);
  return PMPI_Allgather(send, n, type, receive, m, receive_type, comm);
}

int MPI_Allgatherv(const void* send, int n, MPI_Datatype type, void* receive, const int m[],
                   const int offsets[], MPI_Datatype receive_type, MPI_Comm comm) {
  count("MPI_Allgatherv", n, type);
  return PMPI_Allgatherv(send, n, type, receive, m, offsets, receive_type, comm);
}

int MPI_Gatherv(const void* send, int n, MPI_Datatype type, void* receive, const int m[],
                const int offsets[], MPI_Datatype receive_type, int root, MPI_Comm comm) {
  count("MPI_Gatherv", n, type);
  return PMPI_Gatherv(send, n, type, receive, m, offsets, receive_type, root, comm);
}

int MPI_Alltoall(const void* send, int n, MPI_Datatype type, void* receive, int m,
                 MPI_Datatype receive_type, MPI_Comm comm) {
  count("MPI_Alltoall", static_cast<long long>(n) * ranks_of(comm), type);
  return PMPI_Alltoall(send, n, type, receive, m, receive_type, comm);
}

int MPI_Alltoallv(const void* send, const int n[], const int offsets[], MPI_Datatype type,
                  void* receive, const int m[], const int receive_offsets[],
                  MPI_Datatype receive_type, MPI_Comm comm) {
  count("MPI_Alltoallv", sum_over(comm, n), type);
  return PMPI_Alltoallv(send, n, offsets, type, receive, m, receive_offsets, receive_type, comm);
}

int MPI_Reduce(const void* send, void* receive, int n, MPI_Datatype type, MPI_Op op, int root,
               MPI_Comm comm) {
  count("MPI_Reduce", n, type);
  return PMPI_Reduce(send, receive, n, type, op, root, comm);
}

int MPI_Allreduce(const void* send, void* receive, int n, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm) {
  count("MPI_Allreduce", n, type);
  return PMPI_Allreduce(send, receive, n, type, op, comm);
}

int MPI_Reduce_scatter(const void* send, void* receive, const int n[], MPI_Datatype type, MPI_Op op,
                       MPI_Comm comm) {
  count("MPI_Reduce_scatter", sum_over(comm, n), type);
  return PMPI_Reduce_scatter(send, receive, n, type, op, comm);
}

int MPI_Reduce_scatter_block(const void* send, void* receive, int n, MPI_Datatype type, MPI_Op op,
                             MPI_Comm comm) {
  count("MPI_Reduce_scatter_block", static_cast<long long>(n) * ranks_of(comm), type);
  return PMPI_Reduce_scatter_block(send, receive, n, type, op, comm);
}

int MPI_Finalize() {
  write_counts();
  return PMPI_Finalize();
}

}  // extern "C"
