#include "launch/requests/request.hpp"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/base/heartbeat.hpp"
#include "launch/requests/request_id.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::launch {
namespace {

using Json = nlohmann::json;
using shard::printable;

constexpr std::size_t kMaxDepth = 32;

// Where the parser stands.
enum class At : std::uint8_t {
  line,       // outside of everything
  request,    // in the request's object
  instances,  // in the list of instances
  instance,   // in an object of inputs
  list,       // in a value's nested lists
  base64,     // in a value's object
  shape,      // in the list "shape" of that object
  outputs,    // in the list of outputs
  ignored     // in something that has been refused
};

class RequestReader : public nlohmann::json_sax<Json> {
 public:
  explicit RequestReader(Request& request) : r_(request) {}

  bool has_inputs = false;

  bool null() override {
    return scalar("null", [&] { return refuse_scalar("null"); });
  }
  bool boolean(bool value) override {
    return scalar("true or false", [&] {
      if (in_list()) return number([&](NestedList& list) { list.boolean(value); });
      return refuse_scalar(value ? "true" : "false");
    });
  }
  bool number_integer(std::int64_t value) override { return integer(value); }
  bool number_unsigned(std::uint64_t value) override {
    if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return integer(static_cast<std::int64_t>(value));
    }
    if (at() == At::request && key_ == "id") return set_id(fmt::format("{}", value));
    return scalar("a number", [&] {
      if (in_list()) return number([&](NestedList& list) { list.large_integer(value); });
      return refuse_scalar("a number");
    });
  }
  bool number_float(double, const std::string& text) override {
    if (at() == At::request && key_ == "id") return set_id(text);
    return scalar("a number", [&] {
      if (in_list()) return number([&](NestedList& list) { list.real(text); });
      return refuse_scalar(text);
    });
  }
  bool string(std::string& value) override;
  bool binary(Json::binary_t&) override { return stop("binary data"); }

  bool start_object(std::size_t) override;
  bool start_array(std::size_t) override;
  bool end_object() override { return leave(); }
  bool end_array() override {
    if (at() == At::list) value().list.close();
    return leave();
  }
  bool key(std::string& name) override;

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    if (dynamic_cast<const Json::out_of_range*>(&error) != nullptr) {
      return stop(
          fmt::format("the number \"{}\" at byte {} is out of range", printable(token), position));
    }
    return stop(fmt::format("not valid JSON at byte {}, near \"{}\"", position, printable(token)));
  }

 private:
  At at() const { return stack_.empty() ? At::line : stack_.back(); }
  bool in_list() const { return at() == At::list || at() == At::instance; }
  GivenValue& value() { return r_.instances.back().values.back(); }

  bool stop(std::string problem) {
    if (r_.problem.empty()) r_.problem = std::move(problem);
    return false;
  }
  bool enter(At where) {
    stack_.push_back(where);
    keys_.emplace_back();
    if (stack_.size() > kMaxDepth) return stop(fmt::format("nested deeper than {}", kMaxDepth));
    return true;
  }
  bool leave() {
    stack_.pop_back();
    keys_.pop_back();
    return true;
  }
  bool set_id(std::string text) {
    r_.id = std::move(text);
    return true;
  }
  // Begins the value that is called key_ in an instance.
  GivenValue& begin_value(GivenValue::Kind kind) {
    GivenValue& fresh = r_.instances.back().values.emplace_back();
    fresh.name = key_;
    fresh.kind = kind;
    return fresh;
  }
  template <typename Put>
  bool number(const Put& put) {
    if ((++numbers_ & 0xffff) == 0) beat();
    if (at() == At::instance) begin_value(GivenValue::Kind::list);
    put(value().list);
    return true;
  }
  // Anything but a list or an object, where it may stand.
  template <typename Take>
  bool scalar(const char* what, const Take& take) {
    if (at() == At::ignored) return true;
    if (at() == At::line) return stop(fmt::format("a JSON object is wanted, not {}", what));
    return take();
  }
  bool refuse_scalar(const std::string& what);
  bool refuse_container(const char* what);
  bool integer(std::int64_t value);
  bool known_key(const std::string& name);

  Request& r_;
  std::vector<At> stack_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  std::string key_;                          // the last one read
  std::size_t numbers_ = 0;
};

// A scalar that may not stand here. What concerns one instance only does not end the request.
bool RequestReader::refuse_scalar(const std::string& what) {
  const std::string text = fmt::format("{} is no value for it", printable(what));
  switch (at()) {
    case At::list:
      value().list.reject(fmt::format("{} in a list of numbers", printable(what)));
      return true;
    case At::instance:
      begin_value(GivenValue::Kind::list).problem = text;
      return true;
    case At::base64:
    case At::shape:
      if (value().problem.empty()) value().problem = fmt::format("\"{}\": {}", key_, text);
      return true;
    case At::instances:
      r_.instances.emplace_back().problem =
          fmt::format("an instance is an object of inputs, not {}", printable(what));
      return true;
    case At::outputs:
      return stop("\"outputs\" is a list of names");
    default:
      return stop(fmt::format("\"{}\": {}", printable(key_), text));
  }
}

bool RequestReader::refuse_container(const char* what) {
  if (at() == At::line) return stop(fmt::format("a JSON object is wanted, not {}", what));
  return at() == At::ignored || refuse_scalar(what);
}

bool RequestReader::integer(std::int64_t value) {
  return scalar("a number", [&] {
    if (in_list()) return number([&](NestedList& list) { list.integer(value); });
    if (at() == At::request && key_ == "id") return set_id(fmt::format("{}", value));
    if (at() == At::request && key_ == "version" && value >= 0) {
      r_.version = value;
      return true;
    }
    if (at() == At::request && key_ == "graph" && value >= 0) {
      r_.graph = fmt::format("{}", value);
      return true;
    }
    if (at() == At::shape && value >= 0) {
      this->value().shape->push_back(value);
      return true;
    }
    return refuse_scalar(fmt::format("{}", value));
  });
}

bool RequestReader::string(std::string& text) {
  return scalar("a string", [&] {
    if (at() == At::instance) {
      begin_value(GivenValue::Kind::text).text = std::move(text);
      return true;
    }
    if (at() == At::base64 && key_ == "b64") {
      value().text = std::move(text);
      return true;
    }
    if (at() == At::base64 && key_ == "type") {
      value().type = std::move(text);
      return true;
    }
    if (at() == At::outputs) {
      r_.outputs.push_back(std::move(text));
      return true;
    }
    if (at() != At::request) return refuse_scalar("a string");
    if (key_ == "id") return set_id(Json(text).dump());
    if (key_ == "method")
      r_.method = std::move(text);
    else if (key_ == "graph")
      r_.graph = std::move(text);
    else if (key_ == "encoding")
      r_.encoding = std::move(text);
    else
      return refuse_scalar("a string");
    return true;
  });
}

bool RequestReader::start_object(std::size_t) {
  switch (at()) {
    case At::line:
      return enter(At::request);
    case At::request:
      if (key_ != "inputs" && key_ != "instances") break;
      r_.instances.emplace_back();
      return enter(At::instance);
    case At::instances:
      r_.instances.emplace_back();
      return enter(At::instance);
    case At::instance:
      begin_value(GivenValue::Kind::base64);
      return enter(At::base64);
    default:
      break;
  }
  return refuse_container("an object") && enter(At::ignored);
}

bool RequestReader::start_array(std::size_t) {
  switch (at()) {
    case At::request:
      if (key_ == "instances") return enter(At::instances);
      if (key_ == "outputs") return enter(At::outputs);
      break;
    case At::instance:
      begin_value(GivenValue::Kind::list).list.open();
      return enter(At::list);
    case At::list:
      value().list.open();
      return enter(At::list);
    case At::base64:
      if (key_ != "shape") break;
      value().shape.emplace();
      return enter(At::shape);
    default:
      break;
  }
  return refuse_container("a list") && enter(At::ignored);
}

bool RequestReader::known_key(const std::string& name) {
  static const std::set<std::string> request{"id",     "method",    "graph",   "version",
                                             "inputs", "instances", "outputs", "encoding"};
  static const std::set<std::string> base64{"b64", "type", "shape"};
  if (at() == At::request && !request.contains(name)) {
    return stop(
        fmt::format("unknown key \"{}\"; known: {}", printable(name), fmt::join(request, ", ")));
  }
  if (at() == At::base64 && !base64.contains(name) && value().problem.empty()) {
    value().problem = fmt::format("unknown key \"{}\"; known: b64, type, shape", printable(name));
  }
  return true;
}

bool RequestReader::key(std::string& name) {
  if (at() == At::ignored) return true;
  if (!keys_.back().insert(name).second) {
    std::string problem = fmt::format("the key \"{}\" occurs twice", printable(name));
    if (at() == At::request) return stop(std::move(problem));
    if (at() == At::instance) r_.instances.back().problem = std::move(problem);
    if (at() == At::base64) value().problem = std::move(problem);
  }
  key_ = std::move(name);
  if (!known_key(key_)) return false;
  if (at() == At::request && key_ == "instances") r_.in_instances = true;
  if (at() == At::request && key_ == "inputs") has_inputs = true;
  return true;
}

// What only the whole request shows.
std::string shortcoming(const Request& request, bool has_inputs) {
  if (request.in_instances && has_inputs) return "\"inputs\" and \"instances\" exclude each other";
  if (!request.in_instances && !has_inputs) return "\"inputs\" is missing";
  if (request.method && request.graph) return "\"method\" and \"graph\" exclude each other";
  return "";
}

}  // namespace

Request parse_request(std::string_view line) {
  Request request;
  if (line.find('\0') != std::string_view::npos) {
    request.problem = "a NUL byte in the line";
    return request;
  }
  RequestReader reader(request);
  const bool good = Json::sax_parse(line.begin(), line.end(), &reader);
  if (!good && request.problem.empty()) request.problem = "not valid JSON";
  if (!request.problem.empty()) {
    if (request.id == "null") request.id = find_request_id(line);
    return request;
  }
  request.problem = shortcoming(request, reader.has_inputs);
  return request;
}

}  // namespace tpinfer::launch
