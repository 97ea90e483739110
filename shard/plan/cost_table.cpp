#include "shard/plan/cost_table.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace tpinfer::shard {
namespace {

auto fields(const ProductRate& r) { return std::tuple(r.rows, r.flops_per_second); }
auto fields(const CollectiveRate& r) {
  return std::tuple(r.ranks, r.nodes, r.seconds, r.bytes_per_second);
}

template <typename Rows>
bool same_rows(const Rows& a, const Rows& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return fields(x) == fields(y); });
}

// The value at x between two known ones, linear in log x.
double between(double x, double x0, double y0, double x1, double y1) {
  return y0 + (y1 - y0) * (std::log2(x) - std::log2(x0)) / (std::log2(x1) - std::log2(x0));
}

}  // namespace

std::array<std::vector<CollectiveRate>, 5> CostTable::default_collectives() {
  std::array<std::vector<CollectiveRate>, 5> all;
  // 4 us, and again per doubling of the ranks.
  all.fill({{2, 1, 8e-6, 2e9}, {4, 1, 12e-6, 2e9}});
  all.back() = {{2, 1, 4e-6, 2e9}};
  return all;
}

bool CostTable::operator==(const CostTable& other) const {
  auto numbers = [](const CostTable& t) {
    return std::tuple(t.operator_seconds, t.memory_bytes_per_second, t.ranks_per_node,
                      t.compute_ranks_per_node, t.memory_ranks_per_node);
  };
  bool same = numbers(*this) == numbers(other) && same_rows(products, other.products);
  for (std::size_t k = 0; k < collectives.size(); ++k) {
    same = same && same_rows(collectives[k], other.collectives[k]);
  }
  return same;
}

double product_rate(const CostTable& costs, double rows) {
  const std::vector<ProductRate>& rates = costs.products;
  if (rows <= rates.front().rows) return rates.front().flops_per_second;
  for (std::size_t i = 1; i < rates.size(); ++i) {
    if (rows > rates[i].rows) continue;
    return between(rows, rates[i - 1].rows, rates[i - 1].flops_per_second, rates[i].rows,
                   rates[i].flops_per_second);
  }
  return rates.back().flops_per_second;
}

double collective_seconds(const CostTable& costs, std::size_t kind, int ranks, bool one_node,
                          double bytes) {
  const std::vector<CollectiveRate>& all = costs.collectives[kind];
  auto first = std::find_if(all.begin(), all.end(),
                            [&](const CollectiveRate& r) { return one_node || r.nodes > 1; });
  auto last = std::find_if(first, all.end(),
                           [&](const CollectiveRate& r) { return one_node && r.nodes > 1; });
  if (first == last) first = all.begin(), last = all.end();
  auto next = std::find_if(first, last, [&](const CollectiveRate& r) { return r.ranks >= ranks; });
  double seconds = 0, rate = 0;
  if (next == first) {
    seconds = first->seconds, rate = first->bytes_per_second;
  } else if (next != last) {
    const CollectiveRate &low = next[-1], &high = *next;
    seconds = between(ranks, low.ranks, low.seconds, high.ranks, high.seconds);
    rate = between(ranks, low.ranks, low.bytes_per_second, high.ranks, high.bytes_per_second);
  } else {
    const CollectiveRate& high = last[-1];
    seconds = high.seconds, rate = high.bytes_per_second;
    if (last - first > 1) {
      const CollectiveRate& low = last[-2];
      seconds = std::max(seconds, between(ranks, low.ranks, low.seconds, high.ranks, high.seconds));
    }
  }
  return seconds + bytes / rate;
}

}  // namespace tpinfer::shard
