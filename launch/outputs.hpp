// What happens to the outputs of a run: hashed, printed, written, compared with labels.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/sha256.hpp"
#include "kernels/base/view.hpp"
#include "shard/arrays/array_reader.hpp"
#include "shard/arrays/array_writer.hpp"

namespace tpinfer::launch {

// Every NaN becomes 0x7fc00000, so that equal outputs have equal bytes.
void make_nan_canonical(const View& view);

// Whether a float view holds only finite values; the index of the first other one otherwise.
std::optional<std::int64_t> first_not_finite(const View& view);

// Throws Fault::data naming `what` and the element when a value is not (--check-finite).
void refuse_not_finite(const std::string& what, const View& view);

// One output over all batches: its hash, its first values. Local; every rank keeps one.
class OutputRecord {
 public:
  OutputRecord(shard::ArraySpec spec, std::int64_t head) : spec_(std::move(spec)), head_(head) {}

  void add(const View& rows);

  const shard::ArraySpec& spec() const { return spec_; }
  // SHA-256 of the bytes so far, in C order.
  std::string hash() const { return hash_.hex_so_far(); }
  // The two lines of the seed's program:
  //   tensor's name is:y data size is:8192 tensor elements num is:2048
  //   output data is: -48.0 -48.0 -48.0
  std::string lines() const;

 private:
  shard::ArraySpec spec_;
  std::int64_t head_;
  std::string values_;
  std::int64_t printed_ = 0;
  Sha256 hash_;
};

// Compares classes with labels (--labels): integers, one per row.
class Accuracy {
 public:
  // Throws Fault::data when the labels are not one integer for each of `rows` rows, or the output
  // is neither (rows, classes) floats nor (rows,) integers.
  Accuracy(const std::string& source, const shard::ArraySpec& output);

  void add(const View& rows);
  std::int64_t correct() const { return correct_; }
  std::int64_t rows() const { return row_; }
  // "accuracy 8912/10000 0.8912"
  std::string line() const;

 private:
  std::unique_ptr<shard::ArrayReader> labels_;
  std::int64_t row_ = 0, correct_ = 0;
};

}  // namespace tpinfer::launch
