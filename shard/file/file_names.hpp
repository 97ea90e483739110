// Names of shard files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tpinfer::shard {

inline constexpr const char* kRankMark = "{rank}";

bool path_exists(const std::string& path);
bool is_folder(const std::string& path);

// "a/b.h5" -> "a"; "b.h5" -> ".".
std::string folder_of(const std::string& path);
std::string join(const std::string& folder, const std::string& name);

// "dir/m.h5" -> "dir/m{rank}.h5": the rank stands before the last dot.
std::string with_rank_mark(const std::string& path);

// "m{rank}.h5" for rank 3 -> "m3.h5".
std::string rank_name(const std::string& pattern, std::int64_t rank);

// The files that a pattern with "{rank}" means, by the number in their names.
std::map<std::int64_t, std::string> files_of_pattern(const std::string& pattern);

// The paths of the regular files called *.h5 or *.hdf5 in a folder, sorted. Throws Fault::no_input.
std::vector<std::string> models_in(const std::string& folder);

// "dir/m3.h5", known to be rank 3's, -> "dir/m{rank}.h5"; "" when the name does not tell.
std::string pattern_of(const std::string& path, std::int64_t rank);

}  // namespace tpinfer::shard
