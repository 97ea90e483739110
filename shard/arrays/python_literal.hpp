// The small part of Python's literal syntax that .npy headers are written in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "kernels/base/shape.hpp"

namespace tpinfer::shard {

// Any other list or tuple: recognised to be told apart, its content is not kept.
struct OtherLiteral {};

using PythonValue = std::variant<std::string, bool, Shape, OtherLiteral>;
using PythonDict = std::map<std::string, PythonValue>;

// Parses "{'key': value, ...}" with blanks anywhere. Values are strings without escapes, True,
// False, tuples of integers that fit int64, or a nested list or tuple. Nothing is evaluated.
// Throws Fault::data, starting with `where`, that names the byte.
PythonDict parse_python_dict(std::string_view text, const std::string& where);

}  // namespace tpinfer::shard
