// The kernels of one core against the bare libraries and the machine's roofs. scripts/bench runs
// it and makes the table; kernel_times.cpp times the same kernels one by one.
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/results.hpp"
#include "bench/roofs.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/functions.hpp"
#include "kernels/math/matmul.hpp"
#include "kernels/math/rows.hpp"

namespace tpinfer::bench {
namespace {

using kernels::Family;

// Not constant, and small enough that nothing overflows or becomes denormal.
std::vector<float> values(std::int64_t count) {
  std::vector<float> out(static_cast<std::size_t>(count));
  std::uint32_t state = 1;
  for (float& value : out) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31F;
  }
  return out;
}

struct Product {
  std::int64_t m, n;  // x [m][n] times w [n][n]
  std::vector<float> x = values(m * n), w = values(n * n), y = values(m * n);

  Contender canonical(Family family) {
    return {fmt::format("matmul {}", name_of(family)), [this, family] {
              kernels::matmul_roots(family, {m, n, n, 1, {0, n}}, x.data(), w.data(), y.data());
            }};
  }

  Contender library(Family family) {
    return {family == Family::eigen ? "plain Eigen" : "plain BLAS", [this, family] {
              kernels::matmul_fast(family, m, n, n, x.data(), w.data(), y.data());
            }};
  }

  std::string size() const { return fmt::format("{}x{}x{}", m, n, n); }
  double operations() const { return 2.0 * static_cast<double>(m * n * n); }
};

// Canonical products against the same library on whole matrices, and against the peak.
void matmul_rows(Results& results, std::int64_t m, std::int64_t n, const Effort& effort) {
  Product p{m, n};
  results.measure(p.size(),
                  {p.canonical(Family::eigen),
                   p.library(Family::eigen),
                   p.canonical(Family::blas),
                   p.library(Family::blas),
                   {"FMA peak", [] { multiply_add_in_registers(); }}},
                  effort);
  results.roof("FMA peak");
  results.compare("matmul eigen", "plain Eigen");
  results.compare("matmul blas", "plain BLAS");
  if (m < 32) return;
  const double work = p.operations() / multiply_add_in_registers();
  for (const char* who : {"matmul eigen", "matmul blas", "plain Eigen", "plain BLAS"}) {
    results.compare(who, "FMA peak", work);
  }
}

// One row and a matrix that no cache holds: what counts is how fast it is read.
void matvec_rows(Results& results, std::int64_t n, const Effort& effort) {
  Product p{1, n};
  results.measure(p.size(),
                  {p.canonical(Family::eigen),
                   p.library(Family::eigen),
                   p.canonical(Family::blas),
                   p.library(Family::blas),
                   {"read roof", [&] { read_all(p.w.data(), n * n); }}},
                  effort);
  results.roof("read roof");
  for (const char* who : {"matmul eigen", "matmul blas", "plain Eigen", "plain BLAS"}) {
    results.compare(who, "read roof");
  }
}

// Elementwise functions and row reductions against a copy of the same array.
void array_rows(Results& results, std::int64_t rows, std::int64_t n, const Effort& effort) {
  const std::int64_t count = rows * n;
  const std::vector<float> x = values(count), scale = values(n), bias = values(n);
  std::vector<float> y(static_cast<std::size_t>(count));
  const std::vector<std::pair<const char*, kernels::Unary>> functions = {
      {"relu", kernels::Unary::relu}, {"sqrt", kernels::Unary::sqrt},
      {"exp", kernels::Unary::exp},   {"log", kernels::Unary::log},
      {"erf", kernels::Unary::erf},   {"sigmoid", kernels::Unary::sigmoid},
      {"tanh", kernels::Unary::tanh}, {"gelu", kernels::Unary::gelu}};
  std::vector<Contender> contenders;
  for (const auto& [name, f] : functions) {
    contenders.push_back(
        {name, [&x, &y, count, f = f] { kernels::unary(f, x.data(), y.data(), count); }});
  }
  using Row = std::function<void(const float*, float*)>;
  const auto by_rows = [&](const char* name, const Row& row) {
    contenders.push_back({name, [&x, &y, rows, n, row] {
                            for (std::int64_t i = 0; i < rows; ++i) {
                              row(x.data() + i * n, y.data() + i * n);
                            }
                          }});
  };
  by_rows("softmax", [n](const float* from, float* to) { kernels::softmax_row(from, to, n); });
  by_rows("log-softmax",
          [n](const float* from, float* to) { kernels::log_softmax_row(from, to, n); });
  by_rows("layer norm", [&](const float* from, float* to) {
    kernels::layer_norm_row(from, scale.data(), bias.data(), 1e-5F, to, n);
  });
  contenders.push_back(
      {"memcpy", [&] { std::memcpy(y.data(), x.data(), y.size() * sizeof(float)); }});
  results.measure(fmt::format("{}x{}", rows, n), contenders, effort);
  results.roof("memcpy");
  for (const Contender& contender : contenders) {
    if (contender.name != "memcpy") results.compare(contender.name, "memcpy");
  }
}

void run(bool quick) {
  set_thread_count(1);
  const Effort effort = effort_of(quick);
  Results results;
  for (const std::int64_t n :
       quick ? std::vector<std::int64_t>{96} : std::vector<std::int64_t>{1024, 2048}) {
    for (const std::int64_t m : {1, 4, 32, 128}) matmul_rows(results, m, n, effort);
  }
  matvec_rows(results, quick ? 256 : 8192, effort);
  array_rows(results, quick ? 16 : 1024, quick ? 64 : 1024, effort);
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
    std::fprintf(stderr, "kernels_bench: %s\n", error.what());
    return 70;
  }
}
