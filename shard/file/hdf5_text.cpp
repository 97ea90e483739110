// Attributes and strings: the small things of a file.
#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "kernels/base/error.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kMaxAttributeBytes = std::size_t{16} << 20;
constexpr hssize_t kMaxAttributeElements = 100'000;

// Reads elements of a memory type into a buffer: H5Aread or H5Dread.
using Read = std::function<herr_t(hid_t memory_type, void* out)>;

// An attribute with what is needed to read it.
struct Attribute {
  Hdf5Handle handle;
  Hdf5Handle type;
  Hdf5Handle space;
  std::string where;

  Attribute(hid_t object, const std::string& name, const std::string& object_where)
      : where(fmt::format("{}: attribute {}", object_where, name)) {
    handle = Hdf5Handle(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, where);
    type = Hdf5Handle(H5Aget_type(handle.id()), H5Tclose, where);
    space = Hdf5Handle(H5Aget_space(handle.id()), H5Sclose, where);
  }
  Read read() const {
    return [this](hid_t memory_type, void* out) { return H5Aread(handle.id(), memory_type, out); };
  }
};

std::optional<Attribute> find_attribute(hid_t object, const std::string& name,
                                        const std::string& where) {
  const htri_t exists = H5Aexists(object, name.c_str());
  if (exists < 0) {
    fail(Fault::data, fmt::format("{}: attribute {}: damaged{}", where, name, hdf5_reason()));
  }
  if (exists == 0) return std::nullopt;
  return std::optional<Attribute>(std::in_place, object, name, where);
}

// Elements of a dataspace of rank 0 or 1; rank 0 has one, a null space none.
std::size_t few_elements(hid_t space, const std::string& where) {
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (H5Sget_simple_extent_ndims(space) > 1 || count < 0 || count > kMaxAttributeElements) {
    fail(Fault::data, fmt::format("{}: must be one value or a short list", where));
  }
  return static_cast<std::size_t>(count);
}

std::vector<std::string> read_variable(hid_t space, std::size_t count, const std::string& where,
                                       std::size_t limit, const Read& read) {
  const Hdf5Handle memory(H5Tcopy(H5T_C_S1), H5Tclose, where);
  H5Tset_size(memory.id(), H5T_VARIABLE);
  H5Tset_cset(memory.id(), H5T_CSET_UTF8);
  std::vector<char*> pointers(count, nullptr);
  if (read(memory.id(), pointers.data()) < 0) {
    // ASCII and UTF-8 are two types to the library; it converts neither to the other.
    H5Tset_cset(memory.id(), H5T_CSET_ASCII);
    if (read(memory.id(), pointers.data()) < 0) {
      fail(Fault::data, fmt::format("{}: cannot be read{}", where, hdf5_reason()));
    }
  }
  std::vector<std::string> texts;
  bool too_long = false;
  for (const char* text : pointers) {
    const std::size_t length = text == nullptr ? 0 : strnlen(text, limit + 1);
    too_long |= length > limit;
    texts.emplace_back(text == nullptr ? "" : text, length);
  }
  H5Dvlen_reclaim(memory.id(), space, H5P_DEFAULT, pointers.data());
  if (too_long) fail(Fault::data, fmt::format("{}: longer than {} bytes", where, limit));
  return texts;
}

std::vector<std::string> read_fixed(hid_t type, std::size_t count, const std::string& where,
                                    std::size_t limit, const Read& read) {
  const std::size_t length = H5Tget_size(type);
  if (length > limit || length * count > limit) {
    fail(Fault::data, fmt::format("{}: longer than {} bytes", where, limit));
  }
  std::string raw(length * count, '\0');
  if (count > 0 && read(type, raw.data()) < 0) {
    fail(Fault::data, fmt::format("{}: cannot be read{}", where, hdf5_reason()));
  }
  const bool blank_padded = H5Tget_strpad(type) == H5T_STR_SPACEPAD;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text = raw.substr(i * length, length);
    text.resize(strnlen(text.data(), length));
    while (blank_padded && text.ends_with(' ')) text.pop_back();
    texts.push_back(std::move(text));
  }
  return texts;
}

std::vector<std::string> read_texts(hid_t type, hid_t space, const std::string& where,
                                    std::size_t limit, const Read& read) {
  const std::size_t count = few_elements(space, where);
  if (count == 0) return {};
  if (H5Tget_class(type) != H5T_STRING) fail(Fault::data, where + ": must be a string");
  return H5Tis_variable_str(type) > 0 ? read_variable(space, count, where, limit, read)
                                      : read_fixed(type, count, where, limit, read);
}

std::string the_one(const std::vector<std::string>& texts, const std::string& where) {
  if (texts.size() != 1) fail(Fault::data, where + ": must be one string");
  return texts[0];
}

template <typename T>
std::optional<T> scalar_attribute(hid_t object, const std::string& name, const std::string& where,
                                  hid_t memory_type, bool floats_too) {
  const auto attribute = find_attribute(object, name, where);
  if (!attribute) return std::nullopt;
  const H5T_class_t type = H5Tget_class(attribute->type.id());
  const bool fits = type == H5T_INTEGER || (floats_too && type == H5T_FLOAT);
  if (!fits || few_elements(attribute->space.id(), attribute->where) != 1) {
    fail(Fault::data,
         fmt::format("{}: must be one {}", attribute->where, floats_too ? "number" : "integer"));
  }
  T value{};
  if (attribute->read()(memory_type, &value) < 0) {
    fail(Fault::data, fmt::format("{}: cannot be read{}", attribute->where, hdf5_reason()));
  }
  return value;
}

}  // namespace

std::optional<std::string> text_attribute(Hdf5Id object, const std::string& name,
                                          const std::string& where) {
  const auto texts = texts_attribute(object, name, where);
  if (!texts) return std::nullopt;
  return the_one(*texts, fmt::format("{}: attribute {}", where, name));
}

std::optional<std::vector<std::string>> texts_attribute(Hdf5Id object, const std::string& name,
                                                        const std::string& where) {
  const auto attribute = find_attribute(object, name, where);
  if (!attribute) return std::nullopt;
  return read_texts(attribute->type.id(), attribute->space.id(), attribute->where,
                    kMaxAttributeBytes, attribute->read());
}

std::optional<std::int64_t> integer_attribute(Hdf5Id object, const std::string& name,
                                              const std::string& where) {
  return scalar_attribute<std::int64_t>(object, name, where, H5T_NATIVE_INT64, false);
}

std::optional<double> number_attribute(Hdf5Id object, const std::string& name,
                                       const std::string& where) {
  return scalar_attribute<double>(object, name, where, H5T_NATIVE_DOUBLE, true);
}

std::optional<std::vector<std::int64_t>> integers_attribute(Hdf5Id object, const std::string& name,
                                                            const std::string& where) {
  const auto attribute = find_attribute(object, name, where);
  if (!attribute) return std::nullopt;
  const std::size_t count = few_elements(attribute->space.id(), attribute->where);
  std::vector<std::int64_t> values(count);
  if (count == 0) return values;  // h5py writes an empty list as floats
  if (H5Tget_class(attribute->type.id()) != H5T_INTEGER) {
    fail(Fault::data, attribute->where + ": must be a list of integers");
  }
  if (attribute->read()(H5T_NATIVE_INT64, values.data()) < 0) {
    fail(Fault::data, fmt::format("{}: cannot be read{}", attribute->where, hdf5_reason()));
  }
  return values;
}

bool has_attribute(Hdf5Id object, const std::string& name, const std::string& where) {
  return find_attribute(object, name, where).has_value();
}

bool attribute_is_text(Hdf5Id object, const std::string& name, const std::string& where) {
  const auto attribute = find_attribute(object, name, where);
  return attribute && H5Tget_class(attribute->type.id()) == H5T_STRING;
}

std::string read_text(Hdf5Id dataset, const std::string& where, std::size_t limit) {
  const Hdf5Handle type(H5Dget_type(dataset), H5Tclose, where);
  const Hdf5Handle space(H5Dget_space(dataset), H5Sclose, where);
  const auto read = [&](hid_t memory_type, void* out) {
    return H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out);
  };
  return the_one(read_texts(type.id(), space.id(), where, limit, read), where);
}

}  // namespace tpinfer::shard
