// Small files for the tests of array readers and writers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "shard/arrays/array_reader.hpp"

namespace tpinfer::shard::array_tests {

// A folder that is gone at the end of the test.
class Folder {
 public:
  Folder() {
    std::string pattern = std::filesystem::temp_directory_path() / "tpinfer_arrays_XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string file(const std::string& name) const { return path_ / name; }
  std::string write(const std::string& name, const std::string& bytes) const {
    // Rewriting a file in place makes some file systems wait for the disk.
    std::filesystem::remove(path_ / name);
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      found.push_back(entry.path().filename());
    }
    return found;
  }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline std::string npy(const std::string& header, const std::string& data, int major = 1) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(major);
  file += '\0';
  for (std::size_t i = 0; i < (major == 1 ? 2U : 4U); ++i) {
    file += static_cast<char>(header.size() >> (8 * i) & 0xff);
  }
  return file + header + data;
}

inline std::string dict(const std::string& descr, const std::string& shape,
                        const std::string& fortran = "False") {
  return "{'descr': " + descr + ", 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

template <typename T>
std::vector<T> read(ArrayReader& reader, Range range) {
  const std::int64_t row = reader.rows() == 0 ? 0 : element_count(reader.shape) / reader.rows();
  std::vector<T> out(static_cast<std::size_t>(range.size() * row));
  reader.read_rows(range, out.data());
  return out;
}

template <typename T>
std::vector<T> read_all(const std::string& source, const std::string& preferred = "x") {
  const auto reader = open_array(source, preferred);
  return read<T>(*reader, {0, reader->rows()});
}

// Opens and reads everything; the fault and text of what went wrong, "0 " when nothing did.
inline std::string outcome(const std::string& source, const std::string& preferred = "x") {
  try {
    const auto reader = open_array(source, preferred);
    if (byte_count(reader->shape, reader->dtype) > (std::size_t{1} << 24)) return "0 large";
    std::vector<char> out(byte_count(reader->shape, reader->dtype));
    reader->read_rows({0, reader->rows()}, out.data());
    return "0 ";
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.fault())) + " " + error.what();
  }
}

// Whether an outcome is this fault, with all these words in its text.
inline ::testing::AssertionResult fails(const std::string& outcome_text, int fault,
                                        const std::vector<std::string>& words) {
  bool good = outcome_text.starts_with(std::to_string(fault) + " ");
  for (const std::string& word : words) good &= outcome_text.find(word) != std::string::npos;
  if (good) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "got " << outcome_text;
}

}  // namespace tpinfer::shard::array_tests
