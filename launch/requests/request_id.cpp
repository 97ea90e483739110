#include "launch/requests/request_id.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace tpinfer::launch {
namespace {

using Json = nlohmann::json;

class IdReader : public nlohmann::json_sax<Json> {
 public:
  std::string id = "null";

  bool null() override { return !is_id_; }
  bool boolean(bool) override { return !is_id_; }
  bool number_integer(std::int64_t value) override { return take(fmt::format("{}", value)); }
  bool number_unsigned(std::uint64_t value) override { return take(fmt::format("{}", value)); }
  bool number_float(double, const std::string& text) override { return take(text); }
  bool string(std::string& value) override { return !is_id_ || take(Json(value).dump()); }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return depth_ > 0 && enter(); }
  bool end_object() override { return --depth_, true; }
  bool end_array() override { return --depth_, true; }
  bool key(std::string& name) override {
    is_id_ = depth_ == 1 && name == "id";
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  // False, which ends the reading, when this is the value of the id.
  bool take(std::string text) {
    if (is_id_) id = std::move(text);
    return !is_id_;
  }
  bool enter() {
    ++depth_;
    return !is_id_;  // a list or an object is no id
  }

  std::size_t depth_ = 0;
  bool is_id_ = false;  // of the value that comes next
};

}  // namespace

std::string find_request_id(std::string_view line) {
  IdReader reader;
  Json::sax_parse(line.begin(), line.end(), &reader);
  return reader.id;
}

}  // namespace tpinfer::launch
