// Bytes that are read in ascending order, wherever they come from: a file, a gzip stream, a
// member of a zip archive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shard/file/raw_file.hpp"

namespace tpinfer::shard {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Reads up to `bytes` bytes at `offset`; fewer only where the source ends. Throws Fault::io, or
  // Fault::data when the compressed stream is damaged (checksums are verified at its end).
  virtual std::size_t read_at(std::uint64_t offset, void* out, std::size_t bytes) = 0;

  // Bytes in all; empty when only reading to the end would tell.
  virtual std::optional<std::uint64_t> size() const = 0;
};

// A source that can only go forward or start again.
class SequentialSource : public ByteSource {
 public:
  std::size_t read_at(std::uint64_t offset, void* out, std::size_t bytes) final;

 protected:
  virtual void restart() = 0;
  // Up to `bytes` bytes (at most 1 GiB) from where the source stands; 0 at its end.
  virtual std::size_t read_some(void* out, std::size_t bytes) = 0;

 private:
  std::size_t read_fully(void* out, std::size_t bytes);

  std::uint64_t position_ = 0;
  std::vector<char> skipped_;
};

// A second descriptor of the open file, positioned at its start and owned by the caller, for
// libraries that read by position. Throws Fault::memory.
int duplicate_descriptor(const RawFile& file);

std::unique_ptr<ByteSource> plain_source(std::unique_ptr<RawFile> file);

// All members of a gzip file, one after the other. `file` need not outlive it.
std::unique_ptr<ByteSource> gzip_source(const RawFile& file);

// The array `wanted` in a zip archive (with or without ".npy"); when `wanted` is empty the array
// called `preferred_name`, else the only one. `name` receives the member's name without ".npy".
// Throws Fault::data that lists what there is. `file` need not outlive it.
std::unique_ptr<ByteSource> zip_source(const RawFile& file, const std::string& wanted,
                                       const std::string& preferred_name, std::string* name);

}  // namespace tpinfer::shard
