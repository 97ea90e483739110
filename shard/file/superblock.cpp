// The layout is in the "HDF5 File Format Specification", section II.A.
#include "shard/file/superblock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::string_view kSignature{"\x89HDF\r\n\x1a\n", 8};

struct Head {
  std::array<unsigned char, 64> bytes{};
  std::size_t size = 0;
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), size}; }
};

Head read_head(const RawFile& file) {
  Head head;
  head.size = std::min<std::uint64_t>(file.state().bytes, head.bytes.size());
  file.read(0, head.bytes.data(), head.size);
  return head;
}

std::string what_it_is(std::string_view head) {
  if (head.starts_with("PK\x03\x04")) return ": it is a zip archive";
  if (head.starts_with("\x1f\x8b")) return ": it is gzip-compressed";
  if (head.starts_with("\x93NUMPY")) return ": it is a NumPy array";
  if (head.starts_with("GGUF")) return ": it is a GGUF file";
  for (const char c : head) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x7f || (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t')) return "";
  }
  return ": it looks like text";
}

[[noreturn]] void fail_short(const RawFile& file, std::uint64_t bytes) {
  fail(Fault::data, fmt::format("{}: truncated: {} bytes do not hold an HDF5 superblock",
                                printable(file.path()), bytes));
}

// Where the address of the end of the file stands in the superblock.
std::size_t end_field(const RawFile& file, const Head& head) {
  const int version = head.bytes[8];
  switch (version) {
    case 0:
      return 40;
    case 1:
      return 44;
    case 2:
    case 3:
      return 28;
    default:
      fail(Fault::data, fmt::format("{}: damaged: HDF5 superblock version {} is not known",
                                    printable(file.path()), version));
  }
}

}  // namespace

bool has_hdf5_signature(const RawFile& file) {
  return read_head(file).text().starts_with(kSignature);
}

void check_superblock(const RawFile& file) {
  const Head head = read_head(file);
  const std::uint64_t bytes = file.state().bytes;
  if (!head.text().starts_with(kSignature)) {
    fail(Fault::data, fmt::format("{}: not an HDF5 file ({} bytes){}", printable(file.path()),
                                  bytes, head.size == 0 ? "" : what_it_is(head.text())));
  }
  if (head.size < 16) fail_short(file, bytes);
  const std::size_t address_bytes = head.bytes[head.bytes[8] < 2 ? 13 : 9];
  const std::size_t at = end_field(file, head);
  if (address_bytes != 8) {
    fail(Fault::data, fmt::format("{}: its addresses have {} bytes; tpinfer reads 8",
                                  printable(file.path()), address_bytes));
  }
  std::uint64_t end = 0;
  if (head.size < at + sizeof end) fail_short(file, bytes);
  std::memcpy(&end, head.bytes.data() + at, sizeof end);
  if (end > bytes) {
    fail(Fault::data,
         fmt::format("{}: truncated or not closed by its writer: the superblock says {} "
                     "bytes, the file has {}",
                     printable(file.path()), end, bytes));
  }
  // Version 3: bit 0 is set while a writer has the file open, bit 2 while it allows readers (SWMR).
  if (head.bytes[8] == 3 && (head.bytes[11] & 5) != 0) {
    fail(Fault::data,
         fmt::format("{}: the file was not closed by its writer", printable(file.path())));
  }
}

}  // namespace tpinfer::shard
