#include "shard/plan/text_check.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::json;

// Sees every token once and builds nothing, so that hostile text costs no memory.
class JsonChecker : public nlohmann::json_sax<Json> {
 public:
  std::string problem;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    problem = fmt::format("the key \"{}\" occurs twice", printable(name));
    return false;
  }

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    if (dynamic_cast<const Json::out_of_range*>(&error) != nullptr) {
      problem =
          fmt::format("the number \"{}\" at byte {} is out of range", printable(token), position);
    } else {
      problem = fmt::format("not valid JSON at byte {}, near \"{}\"", position, printable(token));
    }
    return false;
  }

 private:
  bool enter() {
    keys_.emplace_back();
    if (keys_.size() <= static_cast<std::size_t>(kMaxJsonDepth)) return true;
    problem = fmt::format("nested deeper than {}", kMaxJsonDepth);
    return false;
  }
  bool leave() {
    keys_.pop_back();
    return true;
  }

  std::vector<std::set<std::string>> keys_;  // of the objects that are open
};

// Bytes of the well-formed UTF-8 character at the start of `text` (RFC 3629), or 0.
std::size_t utf8_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Over-long forms, surrogates, and what lies beyond U+10FFFF.
  if ((byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xed && byte(1) > 0x9f)) return 0;
  if ((byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) > 0x8f)) return 0;
  return length;
}

bool is_control(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

}  // namespace

void check_json(const std::string& where, std::string_view text) {
  if (text.size() > kMaxJsonBytes) {
    fail(Fault::data, fmt::format("{}: {} bytes of JSON, more than the limit of {} bytes", where,
                                  text.size(), kMaxJsonBytes));
  }
  JsonChecker checker;
  if (!Json::sax_parse(text.begin(), text.end(), &checker)) {
    fail(Fault::data, fmt::format("{}: {}", where, checker.problem));
  }
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_character(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void check_name(const std::string& where, std::string_view name) {
  if (name.empty()) fail(Fault::data, fmt::format("{}: an empty name", where));
  if (name.size() > kMaxNameBytes) {
    fail(Fault::data,
         fmt::format("{}: the name \"{}...\" has {} bytes, more than the limit of {}", where,
                     printable(name.substr(0, 40)), name.size(), kMaxNameBytes));
  }
  for (const char c : name) {
    if (is_control(static_cast<unsigned char>(c))) {
      fail(Fault::data,
           fmt::format("{}: the name \"{}\" has a control character", where, printable(name)));
    }
  }
  if (!is_utf8(name)) {
    fail(Fault::data, fmt::format("{}: the name \"{}\" is not UTF-8", where, printable(name)));
  }
}

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string out;
  while (!text.empty() && out.size() < kLongest) {
    const std::size_t length = utf8_character(text);
    if (length == 0 || is_control(static_cast<unsigned char>(text[0]))) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
    } else {
      out += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return text.empty() ? out : out + "...";
}

}  // namespace tpinfer::shard
