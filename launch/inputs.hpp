// Where the values of inputs come from (--input).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/base/view.hpp"
#include "runtime/model.hpp"
#include "shard/arrays/array_reader.hpp"
#include "shard/plan/signature.hpp"

namespace tpinfer::launch {

// Throws Fault::data naming input, source and both shapes or types when an array of this shape and
// type cannot be the input's value. An extent that is a symbol takes any.
void check_fits(const shard::ValueSpec& spec, const std::string& source, const Shape& shape,
                DType dtype);

// One input and its source, open for reading. Local.
class InputSource {
 public:
  // `text` is ones, zeros, example or a file as open_array takes it. Throws Fault::data naming
  // input, source, both shapes or types when they do not fit; what open_array throws.
  InputSource(const shard::ValueSpec& spec, const std::string& text, runtime::Model& model,
              const shard::Signature& signature, bool opens_files);

  const shard::ValueSpec& spec() const { return spec_; }
  const std::string& text() const { return text_; }

  // Extents by the file or example; empty for ones and zeros, which take any.
  const std::optional<Shape>& known_shape() const { return known_shape_; }

  // The element type of the file; the input's own for other sources.
  DType stored_dtype() const { return reader_ ? reader_->dtype : spec_.dtype; }

  // Fills `out` (dense, of the input's type) with rows [rows.begin, rows.end) along dimension 0.
  void read(Range rows, const View& out);

 private:
  shard::ValueSpec spec_;
  std::string text_;
  std::optional<Shape> known_shape_;
  std::unique_ptr<shard::ArrayReader> reader_;
  shard::ModelFile* examples_ = nullptr;  // of the model, the file whose examples are meant
  std::string example_path_;              // dataset of the embedded example
};

// Gives every input its source. Without any --input: the embedded example, else ones.
// Throws Fault::data naming the inputs that exist when a name is wrong, given twice or missing.
// `opens_files` is false on ranks that get the values from rank 0.
std::vector<InputSource> choose_inputs(const shard::Signature& signature,
                                       const std::vector<std::string>& arguments,
                                       runtime::Model& model, bool opens_files);

// The symbols' values: by the sources' extents, else 1. Throws Fault::data naming two inputs that
// disagree.
shard::Symbols symbols_of(const std::vector<InputSource>& inputs);

// The known answers of a graph, a method or a pipeline: in its own file.
std::vector<const shard::ExampleInfo*> examples_of(const runtime::Model& model,
                                                   const shard::Signature& signature);

// The value 1 (or 0) in every element.
void fill(const View& out, int value);

}  // namespace tpinfer::launch
