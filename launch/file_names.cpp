#include "launch/file_names.hpp"

namespace tpinfer::launch {
namespace {

std::string replaced(std::string text, const std::string& placeholder, int number) {
  for (std::size_t at; (at = text.find(placeholder)) != std::string::npos;) {
    text.replace(at, placeholder.size(), std::to_string(number));
  }
  return text;
}

}  // namespace

bool holds(const std::string& text, const std::string& placeholder) {
  return text.find(placeholder) != std::string::npos;
}

bool many(const std::string& text) {
  return holds(text, kRankPlaceholder) || holds(text, kPartPlaceholder);
}

std::string own_name(std::string text, int rank, int part) {
  return replaced(replaced(std::move(text), kRankPlaceholder, rank), kPartPlaceholder, part);
}

}  // namespace tpinfer::launch
