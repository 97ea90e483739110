// The value of an input as a request gives it, made the tensor that a graph wants.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "launch/inputs.hpp"
#include "launch/requests/request.hpp"

namespace tpinfer::launch {

// Checked against the input when it is made; converted when it is asked for. Throws Fault::data, or
// what opening a file throws, with the input's name. Local.
class GivenArray {
 public:
  // `value` outlives this.
  GivenArray(const shard::ValueSpec& spec, const GivenValue& value, runtime::Model& model,
             const shard::Signature& callee);

  const shard::ValueSpec& spec() const { return spec_; }
  // Empty for ones and zeros, which take any extents.
  const std::optional<Shape>& known_shape() const { return shape_; }

  // `out` has the shape.
  void copy_to(const View& out);

 private:
  void decode();

  const shard::ValueSpec& spec_;
  const GivenValue& value_;
  std::optional<Shape> shape_;
  std::optional<InputSource> source_;  // a file and the like
  std::vector<std::byte> stored_;      // of base64
  DType stored_dtype_ = DType::f32;
};

}  // namespace tpinfer::launch
