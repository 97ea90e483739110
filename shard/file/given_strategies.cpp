#include "shard/file/given_strategies.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

// At most one byte more than a JSON text may have, so that a huge file is refused, not read.
std::string text_of(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    fail(Fault::no_input, fmt::format("--strategy: {} is a folder", path));
  }
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
    fail(Fault::no_input, fmt::format("--strategy: {} is no regular file", path));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxJsonBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.is_open() || file.bad()) {
    fail(Fault::no_input,
         fmt::format("--strategy: {} cannot be read: {}", path, std::strerror(errno)));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

std::map<std::string, std::string> read_strategy_files(const std::string& option) {
  std::map<std::string, std::string> texts;
  for (const std::string& path : strategy_files(option)) texts[path] = text_of(path);
  return texts;
}

GivenStrategies given_strategies(const std::string& option,
                                 const std::map<std::string, std::string>& texts) {
  GivenStrategies given;
  if (option.empty()) return given;
  given.entries = parse_strategies(option, texts);
  for (const auto& [path, text] : texts) given.files[path] = parse_strategy_file(path, text);
  return given;
}

std::vector<std::string> check_layouts(const GivenStrategies& given, const BoundGraph& graph) {
  std::vector<std::string> notes;
  for (const auto& [path, file] : given.files) {
    const std::string note = check_layouts(path, file, graph);
    if (!note.empty()) notes.push_back(note);
  }
  return notes;
}

}  // namespace tpinfer::shard
