// One request: a line of --requests, as JSON (docs/command-line.md, "Requests").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/requests/nested_list.hpp"

namespace tpinfer::launch {

// The value of one input as it stands in a request.
struct GivenValue {
  enum class Kind : std::uint8_t { list, text, base64 };
  std::string name;
  Kind kind = Kind::list;
  NestedList list;
  std::string text;                 // a source (ones, zeros, example, a file), or base64
  std::optional<std::string> type;  // of base64
  std::optional<Shape> shape;       // of base64
  std::string problem;              // what is wrong with its form
};

// The inputs of one run. What is wrong with one instance is no matter of the others.
struct Instance {
  std::vector<GivenValue> values;
  std::string problem;
};

struct Request {
  std::string id = "null";  // as JSON text: a string or a number
  std::optional<std::string> method;
  std::optional<std::string> graph;  // name or index
  std::optional<std::int64_t> version;
  std::vector<Instance> instances;   // one for "inputs"
  bool in_instances = false;         // the form {"instances": ...}
  std::vector<std::string> outputs;  // empty: all
  std::string encoding = "list";     // list, b64, or a file name
  std::string problem;               // "": it can be run
};

// Reads a line. Never throws; what is wrong stands in the result. One pass (a second one for the id
// behind a mistake), flat memory (8 bytes per number), refused at once: depth beyond any legal value, duplicate and unknown keys, NaN and
// other things that are no JSON, broken UTF-8, NUL bytes.
Request parse_request(std::string_view line);

}  // namespace tpinfer::launch
