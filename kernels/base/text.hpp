// Numbers as people and NumPy write them.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/base/view.hpp"

namespace tpinfer {

// As NumPy prints a float32 scalar: the shortest digits that read back to the same value;
// positional from 0.0001 up to (not including) 1e16, else scientific: "-48.0", "1e-05", "nan".
std::string number_text(float value);

// Element `index` of `view` as NumPy prints it; booleans are "True" and "False".
std::string element_text(const View& view, std::int64_t index);

// "1 rank", "2 ranks".
std::string counted(std::size_t count, const char* noun);

// "512 B", "1.2 KiB", "3.4 MiB".
std::string bytes_text(std::size_t bytes);

}  // namespace tpinfer
