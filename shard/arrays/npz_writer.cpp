// A .npz file is a zip archive (PKWARE APPNOTE 6.3) of .npy files. Stored members of known size
// have fixed places, so the rows go straight into the archive: no second copy on disk, and no
// temporary file but the archive itself. ZIP64 fields throughout, as numpy.savez writes them.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <utility>

#include "kernels/base/error.hpp"
#include "shard/arrays/npy_header.hpp"
#include "shard/arrays/placed_writer.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::uint64_t kVersion = 45;  // 4.5: the first with ZIP64
constexpr std::uint64_t kNameIsUtf8 = 1U << 11;
constexpr std::uint64_t kDosDate = 1U << 5 | 1U;  // 1980-01-01: equal arrays, equal files
constexpr std::uint64_t kIn64 = 0xffffffff;       // "see the ZIP64 field"
constexpr std::uint64_t kModeBits = std::uint64_t{0100644} << 16;
constexpr std::uint64_t kMadeOnUnix = 3U << 8;

struct Member {
  std::string name;          // "y.npy"
  std::string header;        // of the .npy file
  std::uint64_t offset = 0;  // of the local header
  std::uint64_t bytes = 0;   // header and elements
  std::uint32_t checksum = 0;
};

class LittleEndian {
 public:
  LittleEndian& put(int width, std::uint64_t value) {
    for (int i = 0; i < width; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  LittleEndian& put(const std::string& text) {
    bytes_ += text;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string local_header(const Member& member) {
  constexpr std::uint64_t kExtraBytes = 20;
  return LittleEndian()
      .put(4, 0x04034b50)
      .put(2, kVersion)
      .put(2, kNameIsUtf8)
      .put(2, 0)
      .put(2, 0)
      .put(2, kDosDate)
      .put(4, member.checksum)
      .put(4, kIn64)
      .put(4, kIn64)
      .put(2, member.name.size())
      .put(2, kExtraBytes)
      .put(member.name)
      .put(2, 1)
      .put(2, kExtraBytes - 4)
      .put(8, member.bytes)
      .put(8, member.bytes)
      .bytes();
}

std::string directory_entry(const Member& member) {
  constexpr std::uint64_t kExtraBytes = 28;
  return LittleEndian()
      .put(4, 0x02014b50)
      .put(2, kVersion | kMadeOnUnix)
      .put(2, kVersion)
      .put(2, kNameIsUtf8)
      .put(2, 0)
      .put(2, 0)
      .put(2, kDosDate)
      .put(4, member.checksum)
      .put(4, kIn64)
      .put(4, kIn64)
      .put(2, member.name.size())
      .put(2, kExtraBytes)
      .put(2, 0)
      .put(2, 0)
      .put(2, 0)
      .put(4, kModeBits)
      .put(4, kIn64)
      .put(member.name)
      .put(2, 1)
      .put(2, kExtraBytes - 4)
      .put(8, member.bytes)
      .put(8, member.bytes)
      .put(8, member.offset)
      .bytes();
}

std::string end_of_directory(std::uint64_t count, std::uint64_t offset, std::uint64_t bytes) {
  constexpr std::uint64_t kRecordBytes = 44;  // after its own first 12
  return LittleEndian()
      .put(4, 0x06064b50)
      .put(8, kRecordBytes)
      .put(2, kVersion | kMadeOnUnix)
      .put(2, kVersion)
      .put(4, 0)
      .put(4, 0)
      .put(8, count)
      .put(8, count)
      .put(8, bytes)
      .put(8, offset)
      .put(4, 0x07064b50)
      .put(4, 0)
      .put(8, offset + bytes)
      .put(4, 1)  // where that record is
      .put(4, 0x06054b50)
      .put(2, 0)
      .put(2, 0)
      .put(2, 0xffff)
      .put(2, 0xffff)
      .put(4, kIn64)
      .put(4, kIn64)
      .put(2, 0)
      .bytes();
}

std::uint32_t add_to_checksum(std::uint32_t checksum, const void* data, std::size_t bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(checksum, static_cast<const unsigned char*>(data), bytes));
}

class NpzWriter : public PlacedWriter {
 public:
  NpzWriter(std::unique_ptr<OutputFile> file, std::vector<ArraySpec> arrays,
            std::vector<std::uint64_t> offsets, std::vector<Member> members, std::uint64_t end)
      : PlacedWriter(std::move(file), std::move(arrays), std::move(offsets)),
        members_(std::move(members)),
        directory_offset_(end) {}

 protected:
  void on_bytes(std::size_t output, const void* data, std::size_t bytes) override {
    if (bytes == 0) return;  // a null pointer would reset the checksum
    members_[output].checksum = add_to_checksum(members_[output].checksum, data, bytes);
  }

  void complete(OutputFile& file) override {
    std::string directory;
    for (const Member& member : members_) {
      const std::string start = local_header(member) + member.header;
      file.write_at(member.offset, start.data(), start.size());
      directory += directory_entry(member);
    }
    directory += end_of_directory(members_.size(), directory_offset_, directory.size());
    file.write_at(directory_offset_, directory.data(), directory.size());
  }

 private:
  std::vector<Member> members_;
  std::uint64_t directory_offset_;
};

}  // namespace

std::unique_ptr<PlacedWriter> npz_writer(std::unique_ptr<OutputFile> file,
                                         std::vector<ArraySpec> arrays) {
  std::vector<Member> members;
  std::vector<std::uint64_t> offsets;
  std::uint64_t end = 0;
  for (const ArraySpec& array : arrays) {
    Member member{array.name + ".npy", npy_header(array.dtype, array.shape), end};
    const std::size_t data_bytes = byte_count(array.shape, array.dtype);
    member.bytes = member.header.size() + data_bytes;
    member.checksum = add_to_checksum(0, member.header.data(), member.header.size());
    offsets.push_back(end + local_header(member).size() + member.header.size());
    end = offsets.back() + data_bytes;
    members.push_back(std::move(member));
  }
  file->reserve(end);
  return std::make_unique<NpzWriter>(std::move(file), std::move(arrays), std::move(offsets),
                                     std::move(members), end);
}

}  // namespace tpinfer::shard
