// Which rows of several arrays have been written: for implementations of ArrayWriter.
#pragma once

#include <string>
#include <vector>

#include "shard/arrays/array_writer.hpp"

namespace tpinfer::shard {

class RowCount {
 public:
  RowCount(std::string path, std::vector<ArraySpec> arrays);

  const std::vector<ArraySpec>& arrays() const { return arrays_; }
  std::size_t row_bytes(std::size_t output) const { return row_bytes_[output]; }
  std::int64_t rows_done(std::size_t output) const { return rows_done_[output]; }

  // Counts `rows` more. Throws Fault::internal beyond the array's shape.
  void add(std::size_t output, std::int64_t rows);
  // Rows that an earlier process has written. Throws like add().
  void restore(std::size_t output, std::int64_t rows) {
    rows_done_[output] = 0;
    add(output, rows);
  }
  // Throws Fault::internal when an array is not complete.
  void check_complete() const;

 private:
  std::string path_;
  std::vector<ArraySpec> arrays_;
  std::vector<std::size_t> row_bytes_;
  std::vector<std::int64_t> rows_done_;
};

}  // namespace tpinfer::shard
