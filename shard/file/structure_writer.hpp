// Writes the structure of a model file: groups, datasets, attributes, texts. Elements of tensors
// may follow later by plain writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/dtype.hpp"
#include "kernels/base/shape.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/file/virtual_dataset.hpp"

namespace tpinfer::shard {

// Contiguous datasets at multiples of 4096 bytes, no times: equal calls give equal bytes. Every
// call throws Fault::io, naming the file as `shown`, when writing fails.
class StructureWriter {
 public:
  enum class Mode : std::uint8_t {
    create,  // a new file with the root attributes format and format_version
    extend,  // one that is there
  };

  StructureWriter(const std::string& file_path, const std::string& shown, Mode mode);

  // A dataset with room for its elements, which are left as they are on disk. Returns the byte
  // where they begin; 0 when there are none.
  std::uint64_t add_tensor(const std::string& path, DType dtype, const Shape& shape);
  // The same, with its elements.
  void add_tensor(const std::string& path, DType dtype, const Shape& shape, const void* elements);
  void add_virtual(const VirtualTensor& tensor);
  void add_text(const std::string& path, const std::string& text);

  // Attributes of an object; "/" is the root.
  void set(const std::string& path, const std::string& name, const std::string& text);
  void set(const std::string& path, const std::string& name, std::int64_t value);
  void set(const std::string& path, const std::string& name, double value);
  void set(const std::string& path, const std::string& name,
           const std::vector<std::int64_t>& values);
  void set(const std::string& path, const std::string& name, const std::vector<std::string>& texts);

  // To be called last.
  void close();

 private:
  Hdf5Handle create(const std::string& path, DType dtype, const Shape& shape, Hdf5Id creation);
  Hdf5Handle creation_list() const;
  void set(const std::string& path, const std::string& name, Hdf5Id type, Hdf5Id space,
           Hdf5Id memory_type, const void* value);
  void wrote(int result, const std::string& where) const;

  std::string shown_;
  Hdf5Handle file_;
  Hdf5Handle links_;  // creates the groups on the way to a name
};

}  // namespace tpinfer::shard
