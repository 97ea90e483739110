#include "shard/file/text_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {

std::string read_text_file(const std::string& what, const std::string& path, std::size_t limit) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    fail(Fault::no_input,
         fmt::format("{} {}: {}", what, path, error ? error.message() : std::strerror(ENOENT)));
  }
  if (std::filesystem::is_directory(status)) {
    fail(Fault::no_input, fmt::format("{} {}: it is a folder", what, path));
  }
  if (!std::filesystem::is_regular_file(status)) {
    fail(Fault::no_input, fmt::format("{} {}: it is no regular file", what, path));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(Fault::no_input, fmt::format("{} {}: {}", what, path, std::strerror(errno)));
  std::string text(limit + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) fail(Fault::no_input, fmt::format("{} {}: cannot be read", what, path));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > limit) {
    fail(Fault::usage, fmt::format("{} {}: more than {} bytes", what, path, limit));
  }
  return text;
}

}  // namespace tpinfer::shard
