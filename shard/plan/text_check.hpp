// Text from files that nobody has checked yet: JSON and names.
#pragma once

#include <string>
#include <string_view>

namespace tpinfer::shard {

inline constexpr std::size_t kMaxJsonBytes = std::size_t{16} << 20;
inline constexpr int kMaxJsonDepth = 32;
inline constexpr std::size_t kMaxNameBytes = 512;

// Throws Fault::data, its text beginning with `where`, unless `text` is one JSON document of at
// most kMaxJsonBytes, nested at most kMaxJsonDepth deep, without duplicate keys, NaN or infinity.
// The text can then be parsed by any parser without surprises.
void check_json(const std::string& where, std::string_view text);

// Throws Fault::data, its text beginning with `where`, unless `name` is UTF-8 of 1 to kMaxNameBytes
// bytes without control characters.
void check_name(const std::string& where, std::string_view name);

bool is_utf8(std::string_view text);

// `text` for one line of a message: anything unprintable as \xNN, at most 80 characters.
std::string printable(std::string_view text);

}  // namespace tpinfer::shard
