#include "comm/fault.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "comm/environment.hpp"
#include "kernels/base/error.hpp"

namespace tpinfer::comm {
namespace {

constexpr const char* kVariable = "TPINFER_FAULT";

struct Order {
  std::string site;
  std::optional<int> rank;  // empty: every rank
  std::optional<int> nth;   // empty: every time
  std::string action;
  int milliseconds = 0;
  int seen = 0;
};

[[noreturn]] void refuse(std::string_view text) {
  fail(Fault::usage, fmt::format("{}={}: want <site>:<rank>:<nth>:<action>", kVariable, text));
}

std::optional<int> number_or_all(std::string_view field, std::string_view text) {
  if (field == "*") return {};
  int value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size()) refuse(text);
  return value;
}

Order parse(std::string_view text) {
  std::vector<std::string_view> fields;
  std::string_view rest = text;
  for (std::size_t colon = rest.find(':'); colon != rest.npos; colon = rest.find(':')) {
    fields.push_back(rest.substr(0, colon));
    rest.remove_prefix(colon + 1);
  }
  if (fields.size() != 3) refuse(text);
  Order order{std::string(fields[0]), number_or_all(fields[1], text),
              number_or_all(fields[2], text), std::string(rest)};
  if (rest.starts_with("slow(") && rest.ends_with(")")) {
    order.action = "slow";
    order.milliseconds = number_or_all(rest.substr(5, rest.size() - 6), text).value_or(0);
  }
  return order;
}

void act(const Order& order) {
  const std::string& action = order.action;
  if (action == "throw") throw std::runtime_error("fault injected at " + order.site);
  if (action == "error") fail(Fault::data, "fault injected at " + order.site);
  if (action == "oom") throw std::bad_alloc();
  if (action == "exit0") _exit(0);
  if (action == "abort") std::abort();
  if (action == "kill") raise(SIGKILL);
  if (action == "segv") raise(SIGSEGV);
  if (action == "stop") {
    raise(SIGSTOP);
    return;  // when someone sends SIGCONT
  }
  if (action == "slow") {
    std::this_thread::sleep_for(std::chrono::milliseconds(order.milliseconds));
    return;
  }
  while (action == "hang") pause();
  refuse(order.action);
}

}  // namespace

namespace detail {

const bool faults_wanted = std::getenv(kVariable) != nullptr;

void reach_fault_site(std::string_view site) {
  static Order order = parse(std::getenv(kVariable));
  if (site != order.site || order.rank.value_or(environment_rank()) != environment_rank()) return;
  ++order.seen;
  if (order.nth.value_or(order.seen) == order.seen) act(order);
}

}  // namespace detail
}  // namespace tpinfer::comm
