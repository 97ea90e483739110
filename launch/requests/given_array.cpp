#include "launch/requests/given_array.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kernels/base/base64.hpp"
#include "kernels/base/error.hpp"
#include "shard/arrays/convert.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::launch {
namespace {

// NumPy's names, and those of the systems that this form comes from.
DType parse_type(const std::string& name) {
  static const std::map<std::string, DType> more{
      {"fp16", DType::f16}, {"fp32", DType::f32}, {"fp64", DType::f64}};
  if (const auto found = more.find(name); found != more.end()) return found->second;
  if (const auto found = parse_dtype(name)) return *found;
  if (name == "str" || name == "bytes") {
    fail(Fault::data, fmt::format("type \"{}\": a tensor has no text; give numbers", name));
  }
  fail(Fault::data, fmt::format("unknown type \"{}\"; known: int8 to uint64, float16, bfloat16, "
                                "float32, float64, bool",
                                shard::printable(name)));
}

}  // namespace

GivenArray::GivenArray(const shard::ValueSpec& spec, const GivenValue& value, runtime::Model& model,
                       const shard::Signature& callee)
    : spec_(spec), value_(value) {
  const std::string where = "input " + spec.name;
  if (!value.problem.empty()) fail(Fault::data, where + ": " + value.problem);
  if (value.kind == GivenValue::Kind::text) {
    if (value.text.find('\0') != std::string::npos) {
      fail(Fault::data, where + ": a file name with a NUL character");
    }
    try {
      source_.emplace(spec, value.text, model, callee, true);
    } catch (const Error& error) {
      if (std::string(error.what()).starts_with(where)) throw;
      fail_in(where, error);
    }
    shape_ = source_->known_shape();
    return;
  }
  try {
    if (value.kind == GivenValue::Kind::base64) {
      decode();
    } else if (!value.list.problem().empty()) {
      fail(Fault::data, value.list.problem());
    } else {
      shape_ = value.list.shape();
      stored_dtype_ = spec.dtype;  // copy_to() knows what kind of numbers they are
    }
  } catch (const Error& error) {
    fail_in(where, error);
  }
  const bool list = value.kind == GivenValue::Kind::list;
  check_fits(spec, list ? "the list" : "base64", *shape_, stored_dtype_);
}

void GivenArray::decode() {
  stored_dtype_ = value_.type ? parse_type(*value_.type) : spec_.dtype;
  shape_ = value_.shape.value_or(Shape{1});
  stored_ = decode_base64(value_.text);
  const std::size_t wanted = byte_count(*shape_, stored_dtype_);
  if (stored_.size() != wanted) {
    fail(Fault::data, fmt::format("base64 of {} bytes, but {} {} takes {} x {} = {}",
                                  stored_.size(), name_of(stored_dtype_), to_text(*shape_),
                                  element_count(*shape_), size_of(stored_dtype_), wanted));
  }
  const auto odd = std::find_if(stored_.begin(), stored_.end(),
                                [](std::byte b) { return b != std::byte{0} && b != std::byte{1}; });
  if (stored_dtype_ == DType::boolean && odd != stored_.end()) {
    fail(Fault::data,
         fmt::format("a bool of {} at element {}", static_cast<int>(*odd), odd - stored_.begin()));
  }
}

void GivenArray::copy_to(const View& out) {
  try {
    if (source_) {
      const std::int64_t rows = out.shape.empty() ? 1 : out.shape[0];
      source_->read({0, rows}, out);
    } else if (value_.kind == GivenValue::Kind::base64) {
      shard::convert_elements(stored_dtype_, stored_.data(), out.dtype, out.data, out.count());
    } else {
      value_.list.copy_to(out);
    }
  } catch (const Error& error) {
    fail_in("input " + spec_.name, error);
  }
}

}  // namespace tpinfer::launch
