// The HDF5 C library as this project uses it: handles that close themselves, errors as exceptions,
// no plugins, no locking, one link at a time. Its own header stays in the .cpp files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tpinfer::shard {

using Hdf5Id = std::int64_t;  // hid_t

// Owns one identifier of the library. Every identifier lives in one: HDF5 1.10 can crash at exit on
// datasets that were left open.
class Hdf5Handle {
 public:
  using Close = int (*)(Hdf5Id);

  Hdf5Handle() = default;
  // Throws Fault::data "`what`: cannot be opened (the library's reason)" when `id` is negative.
  Hdf5Handle(Hdf5Id id, Close close, const std::string& what);
  ~Hdf5Handle() { reset(); }
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept;

  Hdf5Id id() const { return id_; }
  bool is_open() const { return id_ >= 0; }
  // Negative when the library reports a failure.
  int reset();

 private:
  Hdf5Id id_ = -1;
  Close close_ = nullptr;
};

// "HDF5 1.10.8".
std::string hdf5_version();

// Opens read-only, without locks and plugins. `shown` is the name in messages.
Hdf5Handle open_hdf5(const std::string& path, const std::string& shown);

// Switches the library's own messages, plugins and exit handler off. Called by whatever opens or
// creates a file.
void quiet_hdf5();

// For a program that uses HDF5 itself: while one lives quiet_hdf5() leaves the exit handler alone,
// and at its end messages and plugins are what they were at its start. Main thread only; may nest.
class Hdf5Visit {
 public:
  Hdf5Visit();
  ~Hdf5Visit();
  Hdf5Visit(const Hdf5Visit&) = delete;
  Hdf5Visit& operator=(const Hdf5Visit&) = delete;

 private:
  int (*printer_)(Hdf5Id, void*) = nullptr;
  void* printer_data_ = nullptr;
  unsigned int plugins_ = 0;
  bool known_ = false;
};

// " (innermost reason)" of the library's last failure, or "".
std::string hdf5_reason();

// Opens the object behind one link of `group`. `where` is its path, for messages.
Hdf5Handle open_member(Hdf5Id group, const std::string& name, const std::string& where);

enum class Hdf5Kind { group, dataset };
Hdf5Kind kind_of(Hdf5Id object, const std::string& where);  // anything else: Fault::data
std::uint64_t address_of(Hdf5Id object, const std::string& where);

// Names of a group's links, sorted. Throws Fault::data when there are more than `limit`, for a link
// that is not hard, and for a name that is unfit: not UTF-8, too long, with '/' or '.' alone.
std::vector<std::string> members_of(Hdf5Id group, const std::string& where, std::size_t limit);

// Scalar attributes of an object; empty when there is none. Throws Fault::data for another type.
std::optional<std::string> text_attribute(Hdf5Id object, const std::string& name,
                                          const std::string& where);
std::optional<std::int64_t> integer_attribute(Hdf5Id object, const std::string& name,
                                              const std::string& where);
std::optional<double> number_attribute(Hdf5Id object, const std::string& name,
                                       const std::string& where);
std::optional<std::vector<std::int64_t>> integers_attribute(Hdf5Id object, const std::string& name,
                                                            const std::string& where);
bool has_attribute(Hdf5Id object, const std::string& name, const std::string& where);
bool attribute_is_text(Hdf5Id object, const std::string& name, const std::string& where);
// A list of strings; a numeric attribute without elements (h5py's empty list) is an empty list.
std::optional<std::vector<std::string>> texts_attribute(Hdf5Id object, const std::string& name,
                                                        const std::string& where);

// The one string that a dataset holds, of at most `limit` bytes.
std::string read_text(Hdf5Id dataset, const std::string& where, std::size_t limit);

}  // namespace tpinfer::shard
