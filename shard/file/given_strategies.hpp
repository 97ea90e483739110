// --strategy: what it names is read and parsed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shard/plan/strategy_file.hpp"

namespace tpinfer::shard {

struct GivenStrategies {
  Strategies entries;
  std::map<std::string, StrategyFile> files;  // by name
};

// The texts of the files that the option's value names (strategy_files). Throws Fault::no_input
// when one cannot be read.
std::map<std::string, std::string> read_strategy_files(const std::string& option);

// The option's value with those texts; "" gives nothing. Throws as parse_strategies.
GivenStrategies given_strategies(const std::string& option,
                                 const std::map<std::string, std::string>& texts);

// check_layouts() for each file: the notes.
std::vector<std::string> check_layouts(const GivenStrategies& given, const BoundGraph& graph);

}  // namespace tpinfer::shard
