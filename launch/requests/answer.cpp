#include "launch/requests/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "kernels/base/base64.hpp"
#include "kernels/base/heartbeat.hpp"
#include "kernels/base/text.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::launch {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

void append_element(std::string& text, const View& view, std::int64_t index) {
  if (view.dtype == DType::boolean) {
    text += view.as<std::uint8_t>()[index] != 0 ? "true" : "false";
    return;
  }
  const bool finite = view.dtype != DType::f32 || std::isfinite(view.as<float>()[index]);
  if (!finite) text += '"';
  text += element_text(view, index);
  if (!finite) text += '"';
}

// The elements below the first `depth` extents, from element `first` on.
void append_list(std::string& text, const View& view, std::size_t depth, std::int64_t first) {
  if (depth == view.shape.size()) return append_element(text, view, first);
  std::int64_t step = 1;
  for (std::size_t d = depth + 1; d < view.shape.size(); ++d) step *= view.shape[d];
  if (depth + 1 == view.shape.size()) beat();
  text += '[';
  for (std::int64_t i = 0; i < view.shape[depth]; ++i) {
    if (i > 0) text += ',';
    append_list(text, view, depth + 1, first + i * step);
  }
  text += ']';
}

void check_pattern(const Request& request, const Encoding& encoding) {
  const auto needs = [&](const char* placeholder, const char* why) {
    if (encoding.pattern.find(placeholder) == std::string::npos) {
      fail(Fault::data, fmt::format("encoding \"{}\": write {} into the name, the request has {}",
                                    shard::printable(encoding.pattern), placeholder, why));
    }
  };
  if (encoding.outputs.size() > 1) needs("{output}", "several outputs");
  if (request.instances.size() > 1) needs("{instance}", "several instances");
}

}  // namespace

Encoding choose_encoding(const Request& request, const std::vector<std::string>& outputs) {
  Encoding encoding;
  for (const std::string& name : request.outputs) {
    const auto at = std::find(outputs.begin(), outputs.end(), name);
    if (at == outputs.end()) {
      fail(Fault::data, fmt::format("no output is called {}; there are {}", shard::printable(name),
                                    fmt::join(outputs, ", ")));
    }
    const auto index = static_cast<std::size_t>(at - outputs.begin());
    if (std::find(encoding.outputs.begin(), encoding.outputs.end(), index) !=
        encoding.outputs.end()) {
      fail(Fault::data, fmt::format("output {} is wanted twice", name));
    }
    encoding.outputs.push_back(index);
  }
  for (std::size_t i = 0; request.outputs.empty() && i < outputs.size(); ++i) {
    encoding.outputs.push_back(i);
  }
  if (request.encoding == "b64") encoding.kind = Encoding::Kind::base64;
  if (request.encoding == "list" || request.encoding == "b64") return encoding;
  const bool names_file =
      request.encoding.ends_with(".npy") && request.encoding.find('\0') == std::string::npos;
  if (!names_file) {
    fail(Fault::data, fmt::format("unknown encoding \"{}\"; known: list, b64, or a file name that "
                                  "ends in .npy, with {{id}}, {{instance}} and {{output}}",
                                  shard::printable(request.encoding)));
  }
  encoding.kind = Encoding::Kind::file;
  encoding.pattern = request.encoding;
  check_pattern(request, encoding);
  return encoding;
}

std::string file_name(const Encoding& encoding, const std::string& id_json, std::size_t instance,
                      const std::string& name) {
  const nlohmann::json id = nlohmann::json::parse(id_json);
  const std::string id_text = id.is_string() ? id.get<std::string>() : id_json;
  for (const std::string* part : {&id_text, &name}) {
    const bool used =
        encoding.pattern.find(part == &name ? "{output}" : "{id}") != std::string::npos;
    if (used && (part->empty() || part->front() == '.' ||
                 part->find_first_of(std::string("/{\0", 3)) != std::string::npos)) {
      fail(Fault::data,
           fmt::format("\"{}\" cannot be part of a file name: it is empty, begins with "
                       "a dot, or holds / or {{",
                       shard::printable(*part)));
    }
  }
  return replaced(replaced(replaced(encoding.pattern, "{id}", id_text), "{instance}",
                           fmt::format("{}", instance)),
                  "{output}", name);
}

std::size_t text_bytes(const View& tensor, Encoding::Kind kind) {
  constexpr std::size_t kNumber = 16, kList = 6;  // "[]," and its copy in the line
  std::size_t bytes = static_cast<std::size_t>(tensor.count()) * kNumber;
  if (kind != Encoding::Kind::list) return bytes;
  // A tensor without elements is lists nevertheless: one for each index before the empty extent.
  std::size_t lists = kList;
  for (const std::int64_t extent : tensor.shape) {
    if (__builtin_add_overflow(bytes, lists, &bytes) ||
        __builtin_mul_overflow(lists, static_cast<std::size_t>(extent), &lists)) {
      return std::numeric_limits<std::size_t>::max();
    }
  }
  return bytes;
}

std::string tensor_json(const View& tensor, Encoding::Kind kind, const std::string& path) {
  std::string text = fmt::format(R"({{"dtype":"{}","shape":[{}],)", name_of(tensor.dtype),
                                 fmt::join(tensor.shape, ","));
  switch (kind) {
    case Encoding::Kind::file:
      text += "\"file\":" + quoted(path);
      break;
    case Encoding::Kind::base64:
      text += "\"b64\":\"" + encode_base64(tensor.data, tensor.bytes()) + '"';
      break;
    case Encoding::Kind::list:
      text += "\"data\":";
      append_list(text, tensor, 0, 0);
      break;
  }
  return text + '}';
}

std::string error_json(Fault fault, const std::string& text) {
  return fmt::format(R"({{"code":{},"message":{}}})", static_cast<int>(fault), quoted(text));
}

std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace tpinfer::launch
