// Names that stand for one file per rank or per part of the batch.
#pragma once

#include <string>

namespace tpinfer::launch {

inline constexpr const char* kRankPlaceholder = "{rank}";
inline constexpr const char* kPartPlaceholder = "{dp}";

bool holds(const std::string& text, const std::string& placeholder);

// A name that stands for several files.
bool many(const std::string& text);

// The file that it means for a rank which works on part `part` of the batch.
std::string own_name(std::string text, int rank, int part);

}  // namespace tpinfer::launch
