#include <fmt/format.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/base/error.hpp"
#include "shard/arrays/byte_source.hpp"
#include "shard/arrays/choose_name.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

struct CloseArchive {
  void operator()(zip_t* archive) const { ::zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const { ::zip_fclose(member); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;
using Member = std::unique_ptr<zip_file_t, CloseMember>;

class ZipSource : public SequentialSource {
 public:
  ZipSource(std::string name, Archive archive, std::uint64_t index, std::uint64_t bytes)
      : name_(std::move(name)), archive_(std::move(archive)), index_(index), bytes_(bytes) {
    restart();
  }
  std::optional<std::uint64_t> size() const override { return bytes_; }

 protected:
  void restart() override {
    member_.reset();
    member_.reset(::zip_fopen_index(archive_.get(), index_, 0));
    if (!member_) raise(::zip_error_strerror(::zip_get_error(archive_.get())));
  }

  std::size_t read_some(void* out, std::size_t bytes) override {
    const zip_int64_t got = ::zip_fread(member_.get(), out, bytes);
    if (got < 0) raise(::zip_error_strerror(::zip_file_get_error(member_.get())));
    return static_cast<std::size_t>(got);
  }

 private:
  [[noreturn]] void raise(const std::string& reason) const {
    fail(Fault::data, fmt::format("{}: zip member is damaged ({})", name_, reason));
  }

  std::string name_;
  Archive archive_;
  std::uint64_t index_;
  std::uint64_t bytes_;
  Member member_;
};

Archive open_archive(const RawFile& file) {
  const int descriptor = duplicate_descriptor(file);
  int code = 0;
  Archive archive(::zip_fdopen(descriptor, ZIP_CHECKCONS, &code));
  if (archive) return archive;
  ::close(descriptor);
  zip_error_t error;
  ::zip_error_init_with_code(&error, code);
  const std::string reason = ::zip_error_strerror(&error);
  ::zip_error_fini(&error);
  fail(Fault::data, fmt::format("{}: not a whole .npz file ({})", file.path(), reason));
}

constexpr std::string_view kSuffix = ".npy";

}  // namespace

std::unique_ptr<ByteSource> zip_source(const RawFile& file, const std::string& wanted,
                                       const std::string& preferred_name, std::string* name) {
  Archive archive = open_archive(file);
  std::vector<std::string> names;
  std::vector<std::uint64_t> indices;
  const auto count = static_cast<std::uint64_t>(::zip_get_num_entries(archive.get(), 0));
  for (std::uint64_t i = 0; i < count; ++i) {
    const char* text = ::zip_get_name(archive.get(), i, 0);
    std::string entry = text == nullptr ? "" : text;
    if (!entry.ends_with(kSuffix)) continue;
    entry.resize(entry.size() - kSuffix.size());
    names.push_back(std::move(entry));
    indices.push_back(i);
  }
  std::string plain = wanted;
  if (plain.ends_with(kSuffix) && std::find(names.begin(), names.end(), plain) == names.end()) {
    plain.resize(plain.size() - kSuffix.size());
  }
  const std::size_t chosen = choose_name(file.path(), names, plain, preferred_name);
  *name = names[chosen];
  const std::string full_name = fmt::format("{}:{}", file.path(), printable(names[chosen]));

  zip_stat_t status;
  ::zip_stat_init(&status);
  if (::zip_stat_index(archive.get(), indices[chosen], 0, &status) != 0 ||
      (status.valid & ZIP_STAT_SIZE) == 0) {
    fail(Fault::data, fmt::format("{}: the zip directory does not give its size", full_name));
  }
  if ((status.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && status.encryption_method != ZIP_EM_NONE) {
    fail(Fault::data, fmt::format("{}: is encrypted; write it with numpy.savez", full_name));
  }
  return std::make_unique<ZipSource>(full_name, std::move(archive), indices[chosen], status.size);
}

}  // namespace tpinfer::shard
