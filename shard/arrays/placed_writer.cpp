#include "shard/arrays/placed_writer.hpp"

#include <algorithm>
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
  commit(*file_);
}

void PlacedWriter::save() { file_->sync(); }

void PlacedWriter::keep() { file_->keep(); }

void PlacedWriter::read_rows(std::size_t output, Range rows, void* out) {
  const std::size_t row_bytes = rows_.row_bytes(output);
  file_->read_at(offsets_[output] + static_cast<std::size_t>(rows.begin) * row_bytes, out,
                 static_cast<std::size_t>(rows.size()) * row_bytes);
}

void PlacedWriter::restore(const std::vector<std::int64_t>& rows_done) {
  constexpr std::size_t kSlabBytes = std::size_t{4} << 20;
  std::vector<std::byte> slab;
  for (std::size_t i = 0; i < rows_done.size(); ++i) {
    rows_.restore(i, rows_done[i]);
    const std::size_t row_bytes = std::max<std::size_t>(1, rows_.row_bytes(i));
    const auto step = static_cast<std::int64_t>(std::max<std::size_t>(1, kSlabBytes / row_bytes));
    for (std::int64_t begin = 0; begin < rows_done[i]; begin += step) {
      const Range rows{begin, std::min(rows_done[i], begin + step)};
      slab.resize(static_cast<std::size_t>(rows.size()) * rows_.row_bytes(i));
      read_rows(i, rows, slab.data());
      on_bytes(i, slab.data(), slab.size());
    }
  }
}

void PlacedWriter::commit(OutputFile& file) { file.commit(); }

void PlacedWriter::on_bytes(std::size_t, const void*, std::size_t) {}

void PlacedWriter::complete(OutputFile&) {}

std::unique_ptr<PlacedWriter> npy_writer(std::unique_ptr<OutputFile> file,
                                         std::vector<ArraySpec> arrays) {
  const ArraySpec& array = arrays.at(0);
  const std::string header = npy_header(array.dtype, array.shape);
  file->reserve(header.size() + byte_count(array.shape, array.dtype));
  file->write_structure(0, header.data(), header.size());
  return std::make_unique<PlacedWriter>(std::move(file), std::move(arrays),
                                        std::vector<std::uint64_t>{header.size()});
}

}  // namespace tpinfer::shard
