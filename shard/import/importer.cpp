#include "shard/import/importer.hpp"

#include <fmt/format.h>

#include <array>

#include "kernels/base/error.hpp"
#include "shard/file/raw_file.hpp"
#include "shard/import/keras.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::array kImporters = {
    Importer{"keras", "Keras .h5: a whole model, or weights with --config FILE.json",
             recognise_keras, import_keras},
};

}  // namespace

std::span<const Importer> importers() { return kImporters; }

ImportedModel import_model(const std::string& path, const ImportOptions& options) {
  const RawFile readable(path);  // missing or unreadable is not "unknown format"
  for (const Importer& importer : kImporters) {
    if (importer.recognise(path)) return importer.import_model(path, options);
  }
  std::string known;
  for (const Importer& importer : kImporters) {
    known +=
        fmt::format("{}{} ({})", known.empty() ? "" : "; ", importer.name, importer.description);
  }
  fail(Fault::data, fmt::format("{}: unknown format; known: {}", printable(path), known));
}

}  // namespace tpinfer::shard
