// From the library's settings to the command line's options.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "launch/options.hpp"
#include "shard/plan/bound_graph.hpp"
#include "shard/plan/signature.hpp"

namespace tpinfer::launch {

// Throws Fault::usage for an option that is not for the library or has no such value. Without
// --timeout there is none, and nothing is printed.
Options library_options(const std::string& path, const std::vector<std::string>& arguments);

// `wanted` completed by the other symbols: from its example (`known`), else 1. Throws
// Fault::usage for a symbol that is not there, and for a negative extent.
shard::Symbols complete_extents(const shard::Signature& signature,
                                const std::map<std::string, std::int64_t>& wanted,
                                const shard::Symbols& known);

}  // namespace tpinfer::launch
