#include "shard/arrays/npy_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "kernels/base/error.hpp"
#include "shard/arrays/python_literal.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kPrefixBytes = 8;  // magic, major and minor version
constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;

struct TypeRow {
  std::string_view code;
  DType dtype;
};

constexpr std::array<TypeRow, 12> kTypes{{
    {"f4", DType::f32},
    {"f8", DType::f64},
    {"f2", DType::f16},
    {"i1", DType::i8},
    {"u1", DType::u8},
    {"i2", DType::i16},
    {"u2", DType::u16},
    {"i4", DType::i32},
    {"u4", DType::u32},
    {"i8", DType::i64},
    {"u8", DType::u64},
    {"b1", DType::boolean},
}};

void read_exactly(const std::string& name, ByteSource& source, std::uint64_t offset, void* out,
                  std::size_t bytes) {
  const std::size_t got = source.read_at(offset, out, bytes);
  if (got < bytes) {
    fail(Fault::data,
         fmt::format("{}: .npy header is truncated: {} bytes expected at byte {}, {} found", name,
                     bytes, offset, got));
  }
}

void set_dtype(const std::string& name, const std::string& descr, DenseLayout* layout) {
  constexpr std::string_view kRemedy = "save it as float32, float64 or an integer type";
  const char order = descr.empty() ? ' ' : descr[0];
  const bool has_order = order == '<' || order == '>' || order == '=' || order == '|';
  const std::string code = has_order ? descr.substr(1) : descr;
  if (code.starts_with('O')) {
    fail(Fault::data,
         fmt::format("{}: descr '{}': Python objects are not read; {}", name, descr, kRemedy));
  }
  const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                [&](const TypeRow& type) { return type.code == code; });
  // "not applicable" as the byte order of several bytes says nothing
  if (row == kTypes.end() || (order == '|' && size_of(row->dtype) > 1)) {
    fail(Fault::data,
         fmt::format("{}: descr '{}': element type is not supported; {}", name, descr, kRemedy));
  }
  layout->dtype = row->dtype;
  layout->big_endian = order == '>';
}

void refuse_fortran_order(const std::string& name, const Shape& shape) {
  const auto wide = std::count_if(shape.begin(), shape.end(), [](auto n) { return n > 1; });
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  if (wide < 2 || empty) return;  // both orders are the same bytes
  fail(Fault::data, fmt::format("{}: fortran_order is True for shape {}: columns come first; save "
                                "numpy.ascontiguousarray of it",
                                name, to_text(shape)));
}

template <typename T>
const T& field(const std::string& name, const PythonDict& dict, const char* key, const char* kind) {
  const auto found = dict.find(key);
  if (found == dict.end()) {
    fail(Fault::data, fmt::format("{}: .npy header has no '{}'", name, key));
  }
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  fail(Fault::data, fmt::format("{}: '{}' in the .npy header is not {}", name, key, kind));
}

DenseLayout parse_header(const std::string& name, std::string_view text) {
  const PythonDict dict = parse_python_dict(text, name + ": .npy header");
  for (const auto& entry : dict) {
    if (entry.first != "descr" && entry.first != "fortran_order" && entry.first != "shape") {
      fail(Fault::data, fmt::format("{}: .npy header has an unknown key '{}'", name, entry.first));
    }
  }
  DenseLayout layout;
  layout.shape = field<Shape>(name, dict, "shape", "a tuple of integers");
  set_dtype(name,
            field<std::string>(name, dict, "descr",
                               "a plain element type (structured arrays are not read)"),
            &layout);
  if (field<bool>(name, dict, "fortran_order", "True or False")) {
    refuse_fortran_order(name, layout.shape);
  }
  return layout;
}

}  // namespace

DenseLayout read_npy_header(const std::string& name, ByteSource& source) {
  std::array<unsigned char, kPrefixBytes> prefix;
  read_exactly(name, source, 0, prefix.data(), prefix.size());
  if (!std::equal(kMagic.begin(), kMagic.end(), prefix.begin(),
                  [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; })) {
    fail(Fault::data, fmt::format("{}: not an .npy array", name));
  }
  const int major = prefix[6];
  if (major < 1 || major > 3 || prefix[7] != 0) {
    fail(Fault::data, fmt::format("{}: .npy version {}.{} is not known (1.0, 2.0 and 3.0 are)",
                                  name, major, prefix[7]));
  }
  std::array<unsigned char, 4> length_bytes{};
  const std::size_t length_width = major == 1 ? 2 : 4;
  read_exactly(name, source, kPrefixBytes, length_bytes.data(), length_width);
  std::size_t length = 0;
  for (std::size_t i = length_width; i-- > 0;) length = length << 8 | length_bytes[i];
  if (length > kMaxHeaderBytes) {
    fail(Fault::data, fmt::format("{}: .npy header of {} bytes, at most {} are read", name, length,
                                  kMaxHeaderBytes));
  }
  std::string text(length, '\0');
  read_exactly(name, source, kPrefixBytes + length_width, text.data(), length);
  DenseLayout layout = parse_header(name, text);
  layout.data_offset = kPrefixBytes + length_width + length;
  return layout;
}

std::string npy_header(DType dtype, const Shape& shape) {
  constexpr std::size_t kAlignment = 64;
  constexpr std::size_t kGrowthDigits = 21;  // NumPy leaves room for dimension 0 to grow in place
  const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                [&](const TypeRow& type) { return type.dtype == dtype; });
  if (row == kTypes.end()) {
    fail(Fault::internal, fmt::format(".npy cannot hold {}", name_of(dtype)));
  }
  const std::string extents = shape.size() == 1 ? fmt::format("({},)", shape[0])
                                                : fmt::format("({})", fmt::join(shape, ", "));
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': {}, }}",
                                 size_of(dtype) == 1 ? '|' : '<', row->code, extents);
  if (!shape.empty()) text.append(kGrowthDigits - fmt::format("{}", shape[0]).size(), ' ');
  const std::size_t prefix_bytes = kPrefixBytes + 2;
  text.append(kAlignment - (prefix_bytes + text.size() + 1) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

}  // namespace tpinfer::shard
