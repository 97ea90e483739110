// One answer: a line of JSON (docs/command-line.md, "Requests").
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "kernels/base/view.hpp"
#include "launch/requests/request.hpp"

namespace tpinfer::launch {

// How the outputs of a request are to be written, checked against what the callable has.
struct Encoding {
  enum class Kind : std::uint8_t { list, base64, file };
  Kind kind = Kind::list;
  std::string pattern;               // of files: {id}, {instance}, {output}
  std::vector<std::size_t> outputs;  // which of them, in the order of the request
};

// Throws Fault::data naming the outputs that exist, the encodings, or what a pattern needs to give
// every output a file of its own.
Encoding choose_encoding(const Request& request, const std::vector<std::string>& outputs);

// The file that output `name` of instance `instance` goes to. Throws Fault::data when the id cannot
// be part of a file name.
std::string file_name(const Encoding& encoding, const std::string& id_json, std::size_t instance,
                      const std::string& name);

// "\"y\": {...}" without blanks: type, shape, and data as nested lists, base64 or a file's name.
//   {"dtype":"float32","shape":[1,2],"data":[[-48.0,"nan"]]}
// Floats have the shortest digits that read back to the same float32; what is not finite is "nan",
// "inf", "-inf". For a file `path` is its name, and the data is not looked at.
std::string tensor_json(const View& tensor, Encoding::Kind kind, const std::string& path);

// About the most memory that its text takes; the most there is where that is no number. A small
// tensor may be a long text: (1000000000,0) is as many empty lists.
std::size_t text_bytes(const View& tensor, Encoding::Kind kind);

// {"code":65,"message":"..."}: the exit code that the same would have been for a run.
std::string error_json(Fault fault, const std::string& text);

// `text` as JSON; what is no UTF-8 is replaced.
std::string quoted(const std::string& text);

}  // namespace tpinfer::launch
