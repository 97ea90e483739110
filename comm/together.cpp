#include "comm/together.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "comm/activity.hpp"
#include "comm/environment.hpp"
#include "comm/fault.hpp"
#include "comm/texts.hpp"

namespace tpinfer::comm {
namespace {

// Longer texts are cut: an agreement must not fail for lack of memory.
constexpr std::size_t kTextBytes = 4000;

struct Outcome {
  int code = 0;
  std::string text;
};

Outcome run(std::string_view phase, const std::function<void()>& work) {
  try {
    fault_site(phase);
    work();
    return {};
  } catch (const Error& error) {
    return {static_cast<int>(error.fault()), error.what()};
  } catch (const std::bad_alloc&) {
    return {static_cast<int>(Fault::memory), "out of memory"};
  } catch (const std::exception& error) {
    return {static_cast<int>(Fault::internal), error.what()};
  } catch (...) {
    return {static_cast<int>(Fault::internal), "an exception of unknown type"};
  }
}

// Only called when some rank failed, so what it costs does not matter.
std::string agreed_text(Communicator& group, const Outcome& mine, int winner, int failures) {
  const std::string text = mine.text.substr(0, kTextBytes);
  const std::vector<std::string> texts = all_gather_texts(group, text);
  const std::vector<std::string> hosts =
      all_gather_texts(group, mine.code != 0 ? host_name() : std::string());
  const auto index = static_cast<std::size_t>(winner);
  const bool all_alike = std::all_of(texts.begin(), texts.end(),
                                     [&](const std::string& t) { return t == texts[index]; });
  if (failures == group.size() && all_alike) return texts[index];

  std::string out = fmt::format("rank {} on {}: {}", winner, hosts[index], texts[index]);
  if (failures == 2) out += " (and 1 other rank)";
  if (failures > 2) out += fmt::format(" (and {} other ranks)", failures - 1);
  return out;
}

// Puts the phase that was before back, however the scope is left.
class PhaseScope {
 public:
  explicit PhaseScope(std::string_view phase) : outer_(current_phase()) { set_phase(phase); }
  ~PhaseScope() { set_phase(outer_); }
  PhaseScope(const PhaseScope&) = delete;
  PhaseScope& operator=(const PhaseScope&) = delete;

 private:
  std::string outer_;
};

}  // namespace

void together(Communicator& group, std::string_view phase, const std::function<void()>& work) {
  const PhaseScope scope(phase);
  const Outcome mine = run(phase, work);

  const auto ranks = static_cast<std::size_t>(group.size());
  const std::int32_t code = mine.code;
  std::vector<std::int32_t> codes(ranks);
  group.all_gather(&code, std::vector<std::size_t>(ranks, sizeof code), codes.data());

  const auto worst = std::max_element(codes.begin(), codes.end());  // the first of equals
  if (*worst == 0) return;
  const auto failures = ranks - static_cast<std::size_t>(std::count(codes.begin(), codes.end(), 0));
  const std::string text =
      agreed_text(group, mine, static_cast<int>(worst - codes.begin()), static_cast<int>(failures));
  throw AgreedError(static_cast<Fault>(*worst), fmt::format("{}: {}", phase, text),
                    static_cast<int>(worst - codes.begin()));
}

}  // namespace tpinfer::comm
