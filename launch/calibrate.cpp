#include "launch/calibrate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "comm/activity.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/base/text.hpp"
#include "kernels/math/matmul.hpp"
#include "launch/threads.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/plan/reasons.hpp"

namespace tpinfer::launch {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& body) {
  const Clock::time_point start = Clock::now();
  body();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A product of that many rows with a weight matrix that is larger than caches for one row.
struct Product {
  std::int64_t rows, inner, columns;
  double flops() const { return 2.0 * static_cast<double>(rows * inner * columns); }
};

constexpr Product kProducts[] = {{1, 4096, 2048}, {8, 2048, 1024}, {64, 1024, 1024}};
constexpr std::size_t kStreamBytes = std::size_t{32} << 20;  // read, and as much written

class RankMeter {
 public:
  RankMeter(kernels::Family family) : family_(family) {
    x_.assign(64 * 4096, 0.5F);
    w_.assign(std::size_t{4096} * 2048, 0.25F);
    y_.assign(std::size_t{64} * 2048, 0);
    from_.assign(kStreamBytes, std::byte{1});
    to_.assign(kStreamBytes, std::byte{0});
    std::vector<kernels::MatmulProblem> problems;
    for (const Product& p : kProducts) problems.push_back(problem_of(p));
    kernels::prove(family, problems);
  }

  double product(const Product& p) {
    beat();
    return seconds_of(
        [&] { kernels::matmul_roots(family_, problem_of(p), x_.data(), w_.data(), y_.data()); });
  }

  double copy() {
    beat();
    return seconds_of([&] {
      constexpr std::int64_t kPieces = 64, kPiece = kStreamBytes / kPieces;
      parallel_for(kPieces, [&](std::int64_t piece) {
        std::memcpy(to_.data() + piece * kPiece, from_.data() + piece * kPiece,
                    static_cast<std::size_t>(kPiece));
      });
    });
  }

  double operation() {
    constexpr int kCalls = 100;
    const Product tiny{1, 1, 1};
    return seconds_of([&] {
             for (int i = 0; i < kCalls; ++i) product(tiny);
           }) /
           kCalls;
  }

 private:
  static kernels::MatmulProblem problem_of(const Product& p) {
    return {p.rows, p.columns, p.inner, 1, {0, p.inner}};
  }

  kernels::Family family_;
  std::vector<float> x_, w_, y_;
  std::vector<std::byte> from_, to_;
};

// How many ranks' worth of work a node does at once; 0 = of all its ranks.
double ranks_at_once(int ranks, double alone, double together) {
  const double worth = std::max(1.0, ranks * alone / together);
  return worth > 0.9 * ranks ? 0 : worth;
}

}  // namespace

double median_of_slowest(comm::Communicator& world, const std::vector<double>& times) {
  const auto ranks = static_cast<std::size_t>(world.size());
  std::vector<double> all(times.size() * ranks), slowest(times.size(), 0);
  world.all_gather(times.data(), std::vector<std::size_t>(ranks, times.size() * sizeof(double)),
                   all.data());
  for (std::size_t i = 0; i < all.size(); ++i) {
    slowest[i % times.size()] = std::max(slowest[i % times.size()], all[i]);
  }
  std::sort(slowest.begin(), slowest.end());
  return slowest[slowest.size() / 2];
}

void measure_rank(const Options& options, comm::Session& session, shard::CostTable& costs) {
  comm::Communicator& world = session.world();
  RankMeter meter(kernels::parse_family(options.kernels));
  using Body = std::function<double()>;
  std::vector<Body> bodies{[&] { return meter.copy(); }, [&] { return meter.operation(); }};
  for (const Product& p : kProducts) bodies.push_back([&meter, p] { return meter.product(p); });
  // The others of the node sleep: waiting in a collective may take a core.
  const bool first = session.node_rank() == 0;
  std::vector<std::vector<double>> alone(bodies.size()), together(bodies.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t b = 0; b < bodies.size(); ++b) {
      world.barrier();
      together[b].push_back(bodies[b]());
      const double pause = median_of_slowest(world, {together[b].back()});
      if (!first) std::this_thread::sleep_for(std::chrono::duration<double>(pause));
      alone[b].push_back(first ? bodies[b]() : 0);
      world.barrier();
    }
  }
  std::vector<double> one, all;
  for (std::size_t b = 0; b < bodies.size(); ++b) {
    one.push_back(median_of_slowest(world, alone[b]));
    all.push_back(median_of_slowest(world, together[b]));
  }
  costs.memory_bytes_per_second = 2 * kStreamBytes / one[0];
  costs.operator_seconds = one[1];
  costs.products.clear();
  for (std::size_t p = 0; p < std::size(kProducts); ++p) {
    costs.products.push_back(
        {static_cast<double>(kProducts[p].rows), kProducts[p].flops() / one[2 + p]});
  }
  const int ranks = session.ranks_on_node();
  costs.memory_ranks_per_node = ranks_at_once(ranks, one[0], all[0]);
  costs.compute_ranks_per_node = ranks_at_once(ranks, one.back(), all.back());
}

void calibrate(const Options& options, comm::Session& session, Story& story) {
  comm::Communicator& world = session.world();
  const ThreadPlan threads = plan_threads(session, options.threads);
  set_thread_count(threads.threads);
  std::unique_ptr<shard::OutputFile> file;
  comm::together(world, "calibrate", [&] {
    kernels::parse_family(options.kernels);
    if (world.rank() == 0) file = std::make_unique<shard::OutputFile>(options.calibrate);
  });
  shard::CostTable costs;
  comm::set_phase("calibrate");
  costs.ranks_per_node = session.node_count() > 1 ? session.ranks_on_node() : 0;
  measure_rank(options, session, costs);
  measure_collectives(session, costs);
  comm::together(world, "calibrate", [&] {
    const std::string text = shard::to_json(costs);
    shard::parse_costs("the measured table", text);
    if (!file) return;
    file->append(text.data(), text.size());
    file->commit();
  });
  story.line(fmt::format(
      "{} on {}, {}, kernels {}: memory {:.3g} bytes/s, products "
      "{:.3g} to {:.3g} flops/s per rank; written to {}",
      counted(static_cast<std::size_t>(world.size()), "rank"),
      counted(static_cast<std::size_t>(session.node_count()), "node"), threads.text,
      options.kernels, costs.memory_bytes_per_second, costs.products.front().flops_per_second,
      costs.products.back().flops_per_second, options.calibrate));
  if (world.size() == 1) {
    story.line("note: one rank has no collectives: the table has the built-in ones");
  }
}

}  // namespace tpinfer::launch
