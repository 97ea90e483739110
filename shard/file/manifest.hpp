// Hashes of a file's weights, as JSON in /manifest: {"weights": {"<name>": "<SHA-256>"}}.
#pragma once

#include <map>
#include <string>

namespace tpinfer::shard {

using Manifest = std::map<std::string, std::string>;  // name under /weights -> SHA-256

std::string to_json(const Manifest& manifest);

// Throws Fault::data, its text beginning with `where`, for anything of another form.
Manifest parse_manifest(const std::string& where, const std::string& text);

}  // namespace tpinfer::shard
