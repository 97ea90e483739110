#define H5_USE_110_API
#include <hdf5.h>
// The line above fixes the library's interface; ours follows.
#include "shard/file/element_type.hpp"

#include <fmt/format.h>

#include <array>

#include "kernels/base/error.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::array kStored = {DType::f32, DType::f64, DType::f16, DType::i8,
                                DType::u8,  DType::i16, DType::u16, DType::i32,
                                DType::u32, DType::i64, DType::u64, DType::boolean};

Hdf5Handle copy_of(hid_t type) { return Hdf5Handle(H5Tcopy(type), H5Tclose, "element type"); }

// IEEE binary16, which HDF5 1.10 has no name for: sign, 5 bits of exponent, 10 of fraction.
Hdf5Handle half_type() {
  Hdf5Handle type = copy_of(H5T_IEEE_F32LE);
  H5Tset_fields(type.id(), 15, 10, 5, 0, 10);
  H5Tset_size(type.id(), 2);
  H5Tset_ebias(type.id(), 15);
  return type;
}

// As h5py writes numpy.bool_.
Hdf5Handle boolean_type() {
  Hdf5Handle type(H5Tenum_create(H5T_STD_I8LE), H5Tclose, "element type");
  for (const signed char value : {0, 1}) {
    H5Tenum_insert(type.id(), value == 0 ? "FALSE" : "TRUE", &value);
  }
  return type;
}

std::string describe(hid_t type) {
  const bool big = H5Tget_order(type) == H5T_ORDER_BE;
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
    case H5T_INTEGER:
      return fmt::format("{}{} of {} bytes", big ? "big-endian " : "an unusual ",
                         H5Tget_class(type) == H5T_FLOAT ? "float" : "integer", H5Tget_size(type));
    case H5T_STRING:
      return "a string";
    case H5T_COMPOUND:
      return "a compound type";
    case H5T_OPAQUE:
      return "an opaque type";
    case H5T_ENUM:
      return "an enumeration that is not h5py's bool";
    case H5T_VLEN:
      return "a variable-length type";
    case H5T_REFERENCE:
      return "a reference";
    case H5T_ARRAY:
      return "an array type";
    default:
      return "an unknown type";
  }
}

}  // namespace

Hdf5Handle hdf5_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return copy_of(H5T_IEEE_F32LE);
    case DType::f64:
      return copy_of(H5T_IEEE_F64LE);
    case DType::f16:
      return half_type();
    case DType::i8:
      return copy_of(H5T_STD_I8LE);
    case DType::u8:
      return copy_of(H5T_STD_U8LE);
    case DType::i16:
      return copy_of(H5T_STD_I16LE);
    case DType::bf16:
    case DType::u16:
      return copy_of(H5T_STD_U16LE);
    case DType::i32:
      return copy_of(H5T_STD_I32LE);
    case DType::u32:
      return copy_of(H5T_STD_U32LE);
    case DType::i64:
      return copy_of(H5T_STD_I64LE);
    case DType::u64:
      return copy_of(H5T_STD_U64LE);
    case DType::boolean:
      return boolean_type();
  }
  fail(Fault::internal, "an element type without an HDF5 type");
}

DType element_type(Hdf5Id dataset, const std::string& where) {
  const Hdf5Handle type(H5Dget_type(dataset), H5Tclose, where);
  std::optional<DType> found;
  for (const DType dtype : kStored) {
    if (H5Tequal(type.id(), hdf5_type(dtype).id()) > 0) found = dtype;
  }
  if (!found) {
    fail(Fault::data,
         fmt::format("{}: its elements are {}; tpinfer reads little-endian IEEE floats, "
                     "integers and booleans",
                     where, describe(type.id())));
  }
  if (const auto text = text_attribute(dataset, "dtype", where)) {
    const auto said = parse_dtype(*text);
    if (said == DType::bf16 && found == DType::u16) return DType::bf16;
    if (said && said != found) {
      fail(Fault::data, fmt::format("{}: attribute dtype says {}, its elements are {}", where,
                                    printable(*text), name_of(*found)));
    }
  }
  return *found;
}

}  // namespace tpinfer::shard
