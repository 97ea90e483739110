#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include "shard/file/hdf5.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

int visits = 0;  // of Hdf5Visit

static_assert(std::is_same_v<Hdf5Id, hid_t>);
static_assert(std::is_same_v<Hdf5Handle::Close, herr_t (*)(hid_t)>);

herr_t keep_innermost(unsigned depth, const H5E_error2_t* entry, void* out) {
  if (depth == 0 && entry->desc != nullptr) *static_cast<std::string*>(out) = entry->desc;
  return 0;
}

struct Listing {
  std::vector<std::string> names;
  std::size_t limit = 0;
  std::string bad_link;
  std::string bad_kind;
};

std::string link_kind(H5L_type_t type) {
  if (type == H5L_TYPE_SOFT) return "a soft link";
  if (type == H5L_TYPE_EXTERNAL) return "an external link";
  return "a user-defined link";
}

// Called by the C library: must not throw; a positive result ends the iteration.
herr_t list_link(hid_t, const char* name, const H5L_info_t* info, void* data) noexcept {
  auto& listing = *static_cast<Listing*>(data);
  if (info->type != H5L_TYPE_HARD) {
    listing.bad_link = name;
    listing.bad_kind = link_kind(info->type);
    return 1;
  }
  listing.names.emplace_back(name);
  return listing.names.size() > listing.limit ? 1 : 0;
}

}  // namespace

Hdf5Handle::Hdf5Handle(Hdf5Id id, Close close, const std::string& what) : id_(id), close_(close) {
  if (id < 0) {
    fail(Fault::data, fmt::format("{}: the HDF5 library cannot open it{}", what, hdf5_reason()));
  }
}

Hdf5Handle& Hdf5Handle::operator=(Hdf5Handle&& other) noexcept {
  if (this != &other) {
    reset();
    id_ = std::exchange(other.id_, -1);
    close_ = other.close_;
  }
  return *this;
}

int Hdf5Handle::reset() {
  const Hdf5Id id = std::exchange(id_, -1);
  return id >= 0 ? close_(id) : 0;
}

void quiet_hdf5() {
  // HDF5 1.10 can crash in its own exit handler, after a failed write for instance. Our handles
  // close themselves, so it need not run; to be said before the library's first call.
  if (visits == 0) {
    [[maybe_unused]] static const herr_t no_exit_handler = H5dont_atexit();
  }
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

Hdf5Visit::Hdf5Visit() {
  ++visits;
  known_ = H5Eget_auto2(H5E_DEFAULT, &printer_, &printer_data_) >= 0 &&
           H5PLget_loading_state(&plugins_) >= 0;
}

Hdf5Visit::~Hdf5Visit() {
  --visits;
  if (!known_) return;
  H5Eset_auto2(H5E_DEFAULT, printer_, printer_data_);
  H5PLset_loading_state(plugins_);
}

std::string hdf5_reason() {
  std::string reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &reason);
  H5Eclear2(H5E_DEFAULT);
  return reason.empty() ? "" : fmt::format(" ({})", printable(reason));
}

std::string hdf5_version() {
  quiet_hdf5();
  unsigned int major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("HDF5 {}.{}.{}", major, minor, release);
}

Hdf5Handle open_hdf5(const std::string& path, const std::string& shown) {
  quiet_hdf5();
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, shown);
  H5Pset_fapl_sec2(access.id());
  H5Pset_file_locking(access.id(), false, true);
  H5Pset_fclose_degree(access.id(), H5F_CLOSE_STRONG);
  return Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, shown);
}

Hdf5Handle open_member(Hdf5Id group, const std::string& name, const std::string& where) {
  return Hdf5Handle(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose, where);
}

Hdf5Kind kind_of(Hdf5Id object, const std::string& where) {
  switch (H5Iget_type(object)) {
    case H5I_GROUP:
      return Hdf5Kind::group;
    case H5I_DATASET:
      return Hdf5Kind::dataset;
    default:
      fail(Fault::data, where + ": neither a group nor a dataset");
  }
}

std::uint64_t address_of(Hdf5Id object, const std::string& where) {
  H5O_info_t info{};
  if (H5Oget_info2(object, &info, H5O_INFO_BASIC) < 0) {
    fail(Fault::data, fmt::format("{}: damaged{}", where, hdf5_reason()));
  }
  return info.addr;
}

std::vector<std::string> members_of(Hdf5Id group, const std::string& where, std::size_t limit) {
  Listing listing;
  listing.limit = limit;
  hsize_t position = 0;
  if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &position, list_link, &listing) < 0) {
    fail(Fault::data, fmt::format("{}: damaged{}", where, hdf5_reason()));
  }
  if (!listing.bad_kind.empty()) {
    fail(Fault::data, fmt::format("{}{}{}: {} is not allowed: only hard links are", where,
                                  where.ends_with('/') ? "" : "/", printable(listing.bad_link),
                                  listing.bad_kind));
  }
  if (listing.names.size() > limit) {
    fail(Fault::data, fmt::format("{}: more than {} objects", where, limit));
  }
  for (const std::string& name : listing.names) {
    check_name(where, name);
    if (name == "." || name == ".." || name.find('/') != std::string::npos) {
      fail(Fault::data, fmt::format("{}: \"{}\" is not a name", where, printable(name)));
    }
  }
  std::sort(listing.names.begin(), listing.names.end());
  return listing.names;
}

}  // namespace tpinfer::shard
