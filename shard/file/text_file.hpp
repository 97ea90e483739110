// Small text files that a user names: options in a file.
#pragma once

#include <cstddef>
#include <string>

namespace tpinfer::shard {

// All of a file. `what` ("--costs") starts the messages. Throws Fault::no_input when it is missing,
// unreadable or no plain file, Fault::usage when it is larger than `limit` bytes.
std::string read_text_file(const std::string& what, const std::string& path, std::size_t limit);

}  // namespace tpinfer::shard
