// Base64 (RFC 4648, section 4), by OpenSSL.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tpinfer {

// Throws Fault::data unless `text` is whole groups of four characters of the alphabet, padded by =
// at the end only; an empty text is no bytes. Strict: no blanks, no line breaks.
std::vector<std::byte> decode_base64(std::string_view text);

std::string encode_base64(const void* data, std::size_t bytes);

}  // namespace tpinfer
