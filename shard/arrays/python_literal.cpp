#include "shard/arrays/python_literal.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

constexpr std::size_t kMaxDimensions = 32;  // NumPy 1's limit

class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  PythonDict dict() {
    PythonDict entries;
    expect('{');
    while (!take('}')) {
      const std::string key = string();
      expect(':');
      if (!entries.emplace(key, value()).second) raise(fmt::format("'{}' twice", key));
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) raise("text after the closing brace");
    return entries;
  }

 private:
  PythonValue value() {
    skip_blanks();
    if (take_word("True")) return true;
    if (take_word("False")) return false;
    if (peek() == '\'' || peek() == '"') return string();
    const std::size_t start = at_;
    if (peek() == '(') {
      if (auto shape = integers()) return *std::move(shape);
      at_ = start;
    }
    if (peek() == '(' || peek() == '[') {
      skip_nested();
      return OtherLiteral{};
    }
    raise("a string, True, False or a tuple expected");
  }

  std::string string() {
    skip_blanks();
    const char quote = peek();
    if (quote != '\'' && quote != '"') raise("a quoted string expected");
    const std::size_t start = ++at_;
    while (at_ < text_.size() && text_[at_] != quote) {
      const char c = text_[at_++];
      if (c == '\\' || c < ' ' || c > '~') raise("a plain ASCII string expected");
    }
    if (at_ == text_.size()) raise("a string does not end");
    return std::string(text_.substr(start, at_++ - start));
  }

  // A tuple of integers; empty when it holds something else. "(3)" is no tuple in Python.
  std::optional<Shape> integers() {
    expect('(');
    Shape shape;
    bool comma = true;
    while (!take(')')) {
      if (!comma) return std::nullopt;
      skip_blanks();
      std::int64_t extent = 0;
      const char* first = text_.data() + at_;
      const auto parsed = std::from_chars(first, text_.data() + text_.size(), extent);
      if (parsed.ec == std::errc::result_out_of_range) raise("an extent of 2^63 or more");
      if (parsed.ec != std::errc()) return std::nullopt;
      if (extent < 0) raise("a negative extent");
      at_ += static_cast<std::size_t>(parsed.ptr - first);
      if (peek() == 'L') ++at_;  // Python 2 wrote long integers so
      shape.push_back(extent);
      if (shape.size() > kMaxDimensions)
        raise(fmt::format("more than {} dimensions", kMaxDimensions));
      comma = take(',');
    }
    if (shape.size() == 1 && !comma) return std::nullopt;
    return shape;
  }

  void skip_nested() {
    std::size_t depth = 0;
    do {
      if (at_ == text_.size()) raise("a list does not end");
      const char c = text_[at_];
      if (c == '\'' || c == '"') {
        string();
        continue;
      }
      if (c == '(' || c == '[') ++depth;
      if (c == ')' || c == ']') --depth;
      ++at_;
    } while (depth > 0);
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_blanks() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\t' || peek() == '\r') ++at_;
  }

  bool take(char c) {
    skip_blanks();
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!take(c)) raise(fmt::format("'{}' expected", c));
  }

  bool take_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  [[noreturn]] void raise(const std::string& reason) const {
    fail(Fault::data, fmt::format("{}: {} at byte {}", where_, reason, at_));
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

}  // namespace

PythonDict parse_python_dict(std::string_view text, const std::string& where) {
  return Parser(text, where).dict();
}

}  // namespace tpinfer::shard
