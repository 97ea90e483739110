// Which of a file's several arrays is meant.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tpinfer::shard {

// The index of `wanted` in `names`; when `wanted` is empty that of `preferred_name`, else of the
// only name. Throws Fault::data that lists the names of the file at `path`.
std::size_t choose_name(const std::string& path, const std::vector<std::string>& names,
                        const std::string& wanted, const std::string& preferred_name);

}  // namespace tpinfer::shard
