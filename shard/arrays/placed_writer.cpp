#include "shard/arrays/placed_writer.hpp"

#include <utility>

#include "shard/arrays/npy_header.hpp"

namespace tpinfer::shard {

PlacedWriter::PlacedWriter(std::unique_ptr<OutputFile> file, std::vector<ArraySpec> arrays,
                           std::vector<std::uint64_t> offsets)
    : file_(std::move(file)),
      rows_(file_->target(), std::move(arrays)),
      offsets_(std::move(offsets)) {}

void PlacedWriter::append(std::size_t output, const void* data, std::int64_t rows) {
  const auto done = static_cast<std::uint64_t>(rows_.rows_done(output));
  rows_.add(output, rows);
  const std::size_t row_bytes = rows_.row_bytes(output);
  const std::size_t bytes = static_cast<std::size_t>(rows) * row_bytes;
  file_->write_at(offsets_[output] + done * row_bytes, data, bytes);
  on_bytes(output, data, bytes);
}

void PlacedWriter::finish() {
  rows_.check_complete();
  complete(*file_);
  file_->commit();
}

void PlacedWriter::on_bytes(std::size_t, const void*, std::size_t) {}

void PlacedWriter::complete(OutputFile&) {}

std::unique_ptr<ArrayWriter> npy_writer(std::unique_ptr<OutputFile> file,
                                        std::vector<ArraySpec> arrays) {
  const ArraySpec& array = arrays.at(0);
  const std::string header = npy_header(array.dtype, array.shape);
  file->reserve(header.size() + byte_count(array.shape, array.dtype));
  file->write_at(0, header.data(), header.size());
  return std::make_unique<PlacedWriter>(std::move(file), std::move(arrays),
                                        std::vector<std::uint64_t>{header.size()});
}

}  // namespace tpinfer::shard
