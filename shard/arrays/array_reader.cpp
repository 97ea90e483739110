#include "shard/arrays/array_reader.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/arrays/byte_source.hpp"
#include "shard/arrays/dense_reader.hpp"
#include "shard/arrays/hdf5_array.hpp"
#include "shard/arrays/idx_header.hpp"
#include "shard/arrays/npy_header.hpp"
#include "shard/file/raw_file.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Start = std::span<const unsigned char>;

bool starts_with(Start start, std::string_view magic) {
  return start.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), start.begin(),
                    [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
}

struct Source {
  std::string path;
  std::string member;  // empty: none given
};

bool is_regular(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// A colon may be part of a file's name: the file system decides where the path ends.
Source split_source(const std::string& source) {
  struct stat status {};
  if (::stat(source.c_str(), &status) == 0) return {source, ""};
  for (std::size_t at = source.find(':'); at != std::string::npos; at = source.find(':', at + 1)) {
    if (is_regular(source.substr(0, at))) return {source.substr(0, at), source.substr(at + 1)};
  }
  // Nothing is there: the error should still name the file and not the member.
  for (const std::string_view extension : {".npz:", ".h5:", ".hdf5:"}) {
    const std::size_t at = source.rfind(extension);
    if (at == std::string::npos) continue;
    const std::size_t colon = at + extension.size() - 1;
    return {source.substr(0, colon), source.substr(colon + 1)};
  }
  return {source, ""};
}

std::unique_ptr<ArrayReader> open_dense(const std::string& name,
                                        std::unique_ptr<ByteSource> bytes) {
  std::array<unsigned char, 8> buffer{};
  const std::size_t got = bytes->read_at(0, buffer.data(), buffer.size());
  const Start start(buffer.data(), got);
  const DenseLayout layout =
      is_idx(start) ? read_idx_header(name, *bytes) : read_npy_header(name, *bytes);
  return dense_reader(name, layout, std::move(bytes));
}

[[noreturn]] void refuse(const std::string& path, bool empty) {
  fail(Fault::data, fmt::format("{}: {}; .npy, .npz, .h5 and IDX (also .gz) are read", path,
                                empty ? "the file is empty" : "not an array file"));
}

}  // namespace

std::unique_ptr<ArrayReader> open_array(const std::string& source,
                                        const std::string& preferred_name) {
  const auto [path, member] = split_source(source);
  auto file = std::make_unique<RawFile>(path);
  const std::uint64_t file_bytes = file->state().bytes;
  std::array<unsigned char, 8> buffer{};
  const auto held = static_cast<std::size_t>(std::min<std::uint64_t>(file_bytes, buffer.size()));
  file->read(0, buffer.data(), held);
  const Start start(buffer.data(), held);

  if (starts_with(start, "\x89HDF\r\n\x1a\n")) {
    return open_hdf5_array(path, file_bytes, member, preferred_name);
  }
  if (starts_with(start, "PK\x03\x04") || starts_with(start, "PK\x05\x06")) {
    std::string name;
    auto bytes = zip_source(*file, member, preferred_name, &name);
    return open_dense(fmt::format("{}:{}", path, printable(name)), std::move(bytes));
  }
  const bool gzip = starts_with(start, "\x1f\x8b");
  if (!gzip && !is_idx(start) && !starts_with(start, "\x93NUMPY")) refuse(path, held == 0);
  if (!member.empty()) {
    fail(Fault::data, fmt::format("{}: holds one array without a name, leave out ':{}'", path,
                                  printable(member)));
  }
  return open_dense(path, gzip ? gzip_source(*file) : plain_source(std::move(file)));
}

}  // namespace tpinfer::shard
