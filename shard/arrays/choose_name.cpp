#include "shard/arrays/choose_name.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

std::string list(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  if (names.empty()) return "no array";
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + printable(names[i]);
  }
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

}  // namespace

std::size_t choose_name(const std::string& path, const std::vector<std::string>& names,
                        const std::string& wanted, const std::string& preferred_name) {
  const auto found =
      std::find(names.begin(), names.end(), wanted.empty() ? preferred_name : wanted);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  if (!wanted.empty()) {
    fail(Fault::data,
         fmt::format("{}: no array '{}'; it holds: {}", path, printable(wanted), list(names)));
  }
  if (names.size() == 1) return 0;
  fail(Fault::data, fmt::format("{}: no array '{}', choose one by {}:NAME; it holds: {}", path,
                                printable(preferred_name), path, list(names)));
}

}  // namespace tpinfer::shard
