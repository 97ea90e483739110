#include "launch/library/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

// Those that say how to run, not on what or what to print.
constexpr std::array<std::string_view, 14> kOptions = {
    "--graph",  "--check-finite", "--strategy", "--uneven",       "--plan",
    "--mesh",   "--kernels",      "--costs",    "--threads",      "--rank-weights",
    "--memory", "--fast",         "--timeout",  "--micro-batches"};

bool is_ours(std::string_view option) {
  return std::find(kOptions.begin(), kOptions.end(), option) != kOptions.end();
}

}  // namespace

Options library_options(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<const char*> words = {"tpinfer", "--model",    path.c_str(),
                                    "--quiet", "--progress", "none"};
  // Ours first: the last word of the caller's may lack its value.
  if (std::none_of(arguments.begin(), arguments.end(),
                   [](const std::string& word) { return word.starts_with("--timeout"); })) {
    words.insert(words.end(), {"--timeout", "0"});
  }
  for (const std::string& argument : arguments) {
    words.push_back(argument.c_str());
    if (!argument.starts_with("-")) continue;
    const std::string name = argument.substr(0, argument.find('='));
    if (!is_ours(name)) {
      fail(Fault::usage, fmt::format("option {} is not for the library, which knows {}", name,
                                     fmt::join(kOptions, ", ")));
    }
  }
  return parse_command_line(static_cast<int>(words.size()), words.data(), is_ours).options;
}

shard::Symbols complete_extents(const shard::Signature& signature,
                                const std::map<std::string, std::int64_t>& wanted,
                                const shard::Symbols& known) {
  shard::Symbols extents;
  std::string names;
  for (const shard::ValueSpec& input : signature.inputs) {
    for (const shard::Extent& extent : input.shape) {
      if (extent.symbol.empty()) continue;
      const auto example = known.find(extent.symbol);
      const bool fresh =
          extents.emplace(extent.symbol, example == known.end() ? 1 : example->second).second;
      if (fresh) names += (names.empty() ? "" : ", ") + extent.symbol;
    }
  }
  for (const auto& [symbol, value] : wanted) {
    const auto at = extents.find(symbol);
    if (at == extents.end()) {
      fail(Fault::usage, fmt::format("{} has no symbol \"{}\"; it has {}", signature.name, symbol,
                                     names.empty() ? "none" : names));
    }
    if (value < 0) fail(Fault::usage, fmt::format("extent \"{}\" is {}", symbol, value));
    at->second = value;
  }
  return extents;
}

}  // namespace tpinfer::launch
