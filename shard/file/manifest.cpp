#include "shard/file/manifest.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {

std::string to_json(const Manifest& manifest) {
  nlohmann::json hashes = nlohmann::json::object();
  for (const auto& [name, hash] : manifest) hashes[name] = hash;
  return nlohmann::json{{"weights", hashes}}.dump();
}

Manifest parse_manifest(const std::string& where, const std::string& text) {
  check_json(where, text);
  const auto json = nlohmann::json::parse(text);
  if (!json.is_object() || json.size() != 1 || !json.contains("weights") ||
      !json["weights"].is_object()) {
    fail(Fault::data, where + ": must be {\"weights\": {name: SHA-256, ...}}");
  }
  Manifest manifest;
  for (const auto& [name, hash] : json["weights"].items()) {
    const std::string text_of_hash = hash.is_string() ? hash.get<std::string>() : "";
    if (text_of_hash.size() != 64 ||
        text_of_hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
      fail(Fault::data,
           fmt::format("{}: the entry of {} is not a SHA-256 in lower-case hexadecimal", where,
                       printable(name)));
    }
    manifest[name] = text_of_hash;
  }
  return manifest;
}

}  // namespace tpinfer::shard
