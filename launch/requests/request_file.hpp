// A file of requests as a whole: how many, and which.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tpinfer::launch {

struct RequestFile {
  std::int64_t requests = 0;  // lines that LineQueue would give
  std::uint64_t bytes = 0;
  std::string sha256;
};

// Reads it once, in pieces, and beats. Throws Fault::no_input.
RequestFile read_request_file(const std::string& path, std::size_t max_line_bytes);

// "50 requests, 1950 bytes, sha256 ...".
std::string to_text(const RequestFile& file);

}  // namespace tpinfer::launch
