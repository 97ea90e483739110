// Single kernels in absolute figures of this machine, for whoever works on one of them:
//   build/bench/kernel_times --benchmark_filter='matmul/eigen/.*' --benchmark_repetitions=5
// For comparisons use scripts/bench: two runs of this program are two different machines.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdint>
#include <vector>

#include "kernels/base/parallel.hpp"
#include "kernels/math/functions.hpp"
#include "kernels/math/matmul.hpp"
#include "kernels/math/rows.hpp"

namespace {

using namespace tpinfer;

std::vector<float> halves(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count), 0.5F);
}

void matmul(benchmark::State& state, kernels::Family family, bool canonical) {
  const std::int64_t m = state.range(0), n = state.range(1);
  const std::vector<float> x = halves(m * n), w = halves(n * n);
  std::vector<float> y = halves(m * n);
  for (auto _ : state) {
    if (canonical) {
      kernels::matmul_roots(family, {m, n, n, 1, {0, n}}, x.data(), w.data(), y.data());
    } else {
      kernels::matmul_fast(family, m, n, n, x.data(), w.data(), y.data());
    }
    benchmark::DoNotOptimize(y.data());
  }
  const double operations = 2.0 * static_cast<double>(m * n * n);
  state.counters["flops"] =
      benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(state.iterations() * n * n * static_cast<std::int64_t>(sizeof(float)));
}

void unary(benchmark::State& state, kernels::Unary f) {
  const std::vector<float> x = halves(state.range(0));
  std::vector<float> y = x;
  for (auto _ : state) {
    kernels::unary(f, x.data(), y.data(), state.range(0));
    benchmark::DoNotOptimize(y.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void softmax(benchmark::State& state) {
  const std::vector<float> x = halves(state.range(0));
  std::vector<float> y = x;
  for (auto _ : state) {
    kernels::softmax_row(x.data(), y.data(), state.range(0));
    benchmark::DoNotOptimize(y.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void layer_norm(benchmark::State& state) {
  const std::vector<float> x = halves(state.range(0));
  std::vector<float> y = x;
  for (auto _ : state) {
    kernels::layer_norm_row(x.data(), x.data(), x.data(), 1e-5F, y.data(), state.range(0));
    benchmark::DoNotOptimize(y.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void add_all() {
  for (const kernels::Family family : {kernels::Family::eigen, kernels::Family::blas}) {
    for (const bool canonical : {true, false}) {
      const std::string name =
          fmt::format("matmul/{}/{}", name_of(family), canonical ? "canonical" : "plain");
      benchmark::RegisterBenchmark(name.c_str(), matmul, family, canonical)
          ->ArgsProduct({{1, 4, 32, 128}, {1024, 2048}});
    }
  }
  benchmark::RegisterBenchmark("exp", unary, kernels::Unary::exp)->Arg(4096)->Arg(1 << 20);
  benchmark::RegisterBenchmark("log", unary, kernels::Unary::log)->Arg(4096)->Arg(1 << 20);
  benchmark::RegisterBenchmark("erf", unary, kernels::Unary::erf)->Arg(4096)->Arg(1 << 20);
  benchmark::RegisterBenchmark("tanh", unary, kernels::Unary::tanh)->Arg(4096)->Arg(1 << 20);
  benchmark::RegisterBenchmark("gelu", unary, kernels::Unary::gelu)->Arg(4096)->Arg(1 << 20);
  benchmark::RegisterBenchmark("softmax", softmax)->Arg(128)->Arg(1024)->Arg(32768);
  benchmark::RegisterBenchmark("layer_norm", layer_norm)->Arg(128)->Arg(1024)->Arg(32768);
}

}  // namespace

int main(int argc, char** argv) {
  set_thread_count(1);
  add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
