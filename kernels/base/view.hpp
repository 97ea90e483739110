// Memory that someone else owns, seen as a dense C-order tensor.
#pragma once

#include <cstddef>

#include "kernels/base/box.hpp"
#include "kernels/base/dtype.hpp"
#include "kernels/base/shape.hpp"

namespace tpinfer {

// Dense, C order. Passed by value; the owner of the memory must outlive it.
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  std::int64_t count() const { return element_count(shape); }
  std::size_t bytes() const { return byte_count(shape, dtype); }
};

// A rank's part of a global tensor: the data of `box`, out of a tensor of shape `global`.
struct Piece {
  View view;  // view.shape == box.extent (a pending sum has one leading dimension more: its roots)
  Box box;
  Shape global;
};

// Copies the elements that `from` and `to` have in common (their boxes lie in one global tensor).
// Same element type; the memory must not overlap. A box without elements copies nothing.
void copy_common(const Piece& from, const Piece& to);

}  // namespace tpinfer
