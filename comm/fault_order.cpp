#include "comm/fault_order.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "kernels/base/error.hpp"

namespace tpinfer::comm {
namespace {

constexpr std::array<std::string_view, 10> kActions = {"throw", "error", "oom",   "kill", "segv",
                                                       "abort", "exit0", "exit3", "hang", "stop"};
constexpr std::uint64_t kOneIn = 4;  // how often the random form acts

[[noreturn]] void refuse(std::string_view text) {
  fail(Fault::usage, fmt::format("TPINFER_FAULT={}: want <site>:<rank>:<nth>:<action> or "
                                 "random:<seed>[:<action>,<action>...]",
                                 text));
}

template <typename Number>
std::optional<Number> number(std::string_view field) {
  Number value{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size()) return {};
  return value;
}

std::optional<int> number_or_all(std::string_view field, std::string_view text) {
  if (field == "*") return {};
  const auto value = number<int>(field);
  if (!value) refuse(text);
  return value;
}

std::vector<std::string_view> fields_of(std::string_view text, char separator, std::size_t most) {
  std::vector<std::string_view> fields;
  while (fields.size() + 1 < most && text.find(separator) != text.npos) {
    fields.push_back(text.substr(0, text.find(separator)));
    text.remove_prefix(text.find(separator) + 1);
  }
  fields.push_back(text);
  return fields;
}

FaultAction action_of(std::string_view name, std::string_view text) {
  if (name.starts_with("slow(") && name.ends_with(")")) {
    const auto milliseconds = number<int>(name.substr(5, name.size() - 6));
    if (milliseconds) return {"slow", *milliseconds};
  }
  if (std::find(kActions.begin(), kActions.end(), name) == kActions.end()) refuse(text);
  return {std::string(name)};
}

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace

FaultOrder::FaultOrder(std::string_view text, int rank, int ranks) : rank_(rank) {
  if (text.starts_with("random:")) {
    parse_random(text);
    faulty_ = is_faulty(ranks);
  } else {
    parse_one(text);
  }
}

void FaultOrder::parse_one(std::string_view text) {
  const auto fields = fields_of(text, ':', 4);
  if (fields.size() != 4) refuse(text);
  site_ = fields[0];
  of_rank_ = number_or_all(fields[1], text);
  nth_ = number_or_all(fields[2], text);
  actions_ = {action_of(fields[3], text)};
}

void FaultOrder::parse_random(std::string_view text) {
  const auto fields = fields_of(text, ':', 3);
  seed_ = number<std::uint64_t>(fields[1]);
  if (!seed_) refuse(text);
  if (fields.size() == 2) {
    for (const std::string_view name : kActions) actions_.push_back({std::string(name)});
    return;
  }
  for (const std::string_view name : fields_of(fields[2], ',', fields[2].size() + 1)) {
    actions_.push_back(action_of(name, text));
  }
}

// A number that seed, rank, site, visit and purpose determine.
std::uint64_t FaultOrder::draw(std::string_view site, int visit, int purpose) const {
  std::uint64_t value = *seed_;
  for (const int part : {rank_, visit, purpose}) {
    value = mixed(value + 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(part));
  }
  for (const char c : site) value = mixed(value + static_cast<unsigned char>(c));
  return value;
}

bool FaultOrder::is_faulty(int ranks) const {
  const auto chosen = mixed(*seed_ + 1) % static_cast<std::uint64_t>(std::max(1, ranks));
  return chosen == static_cast<std::uint64_t>(rank_) || draw("", 0, 0) % kOneIn == 0;
}

std::optional<FaultAction> FaultOrder::visit(std::string_view site) {
  auto place = visits_.find(site);
  if (place == visits_.end()) place = visits_.emplace(site, 0).first;
  const int visit = ++place->second;
  if (!seed_) {
    const bool here = site_ == "*" || site_ == site;
    if (!here || of_rank_.value_or(rank_) != rank_ || nth_.value_or(visit) != visit) return {};
    return actions_[0];
  }
  const bool active = faulty_ && draw(site, 0, 1) % kOneIn == 0;
  if (!active || draw(site, visit, 2) % kOneIn != 0) return {};
  return actions_[draw(site, 0, 3) % actions_.size()];
}

int FaultOrder::visits(std::string_view site) const {
  const auto place = visits_.find(site);
  return place == visits_.end() ? 0 : place->second;
}

}  // namespace tpinfer::comm
