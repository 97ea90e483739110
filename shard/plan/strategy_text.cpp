// Strategies as a command line has them.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "shard/plan/strategy.hpp"
#include "shard/plan/strategy_file.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

// Python's tuples as a JSON array: "((1,8),(8,1))" -> "[[1,8],[8,1]]"; "(8,)" loses its comma.
Strategy parse_tuples(const std::string& text) {
  std::string json;
  for (char c : text) {
    if (c == ')' && !json.empty() && json.back() == ',') json.pop_back();
    json += c == '(' ? '[' : c == ')' ? ']' : c;
  }
  auto malformed = [&]() {
    fail(Fault::usage, fmt::format("--strategy: \"{}\" is not of the form ((1,8),(8,1)): one tuple "
                                   "per input, one number per dimension",
                                   printable(text)));
  };
  Strategy strategy;
  try {
    check_json("", json);  // no deeper than a parser can go
  } catch (const Error&) {
    malformed();
  }
  const nlohmann::json tuples = nlohmann::json::parse(json, nullptr, false);
  if (!tuples.is_array()) malformed();
  for (const nlohmann::json& tuple : tuples) {
    if (!tuple.is_array()) malformed();
    strategy.emplace_back();
    for (const nlohmann::json& number : tuple) {
      // A number beyond int64 is parsed as unsigned or as floating-point.
      const bool fits = number.is_number_integer() &&
                        (!number.is_number_unsigned() ||
                         number.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
      if (!fits) malformed();
      strategy.back().push_back(number.get<std::int64_t>());
    }
  }
  return strategy;
}

std::vector<std::string> items_of(const std::string& text) {
  std::vector<std::string> items;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    items.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return items;
}

bool is_file(const std::string& item) { return item.ends_with(".json"); }

}  // namespace

std::vector<std::string> strategy_files(const std::string& text) {
  std::vector<std::string> files = items_of(text);
  std::erase_if(files, [](const std::string& item) { return !is_file(item); });
  return files;
}

Strategies parse_strategies(const std::string& text,
                            const std::map<std::string, std::string>& files) {
  Strategies strategies;
  for (const std::string& item : items_of(text)) {
    if (is_file(item)) {
      StrategyFile file = parse_strategy_file(item, files.at(item));
      std::move(file.entries.begin(), file.entries.end(), std::back_inserter(strategies));
      continue;
    }
    // A node's name may have a '='; what follows the last one are tuples.
    const std::size_t equals = item.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      fail(Fault::usage, fmt::format("--strategy: \"{}\" is not of the form NODE=((1,8),(8,1)) and "
                                     "no FILE.json",
                                     printable(item)));
    }
    strategies.push_back({item.substr(0, equals), parse_tuples(item.substr(equals + 1))});
  }
  return strategies;
}

std::string to_text(const Strategy& strategy) {
  std::string text = "(";
  for (std::size_t i = 0; i < strategy.size(); ++i) {
    text += fmt::format("{}({}{})", i ? "," : "", fmt::join(strategy[i], ","),
                        strategy[i].size() == 1 ? "," : "");
  }
  return text + ")";
}

bool matches_pattern(const std::string& pattern, const std::string& name) {
  // Where the last '*' stood, and how much of the name it has eaten: only that one need be retried.
  std::size_t p = 0, n = 0, star = std::string::npos, eaten = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      eaten = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != std::string::npos) {
      p = star + 1;
      n = ++eaten;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string::npos;
}

}  // namespace tpinfer::shard
