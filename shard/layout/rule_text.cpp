#include "shard/layout/rule_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

std::vector<std::string> tokens_of(const std::string& term) {
  std::vector<std::string> tokens;
  std::string word;
  auto flush = [&] {
    if (!word.empty()) tokens.push_back(std::move(word));
    word.clear();
  };
  for (char c : term) {
    if (c == '(' || c == ')') {
      flush();
      tokens.emplace_back(1, c);
    } else if (std::isspace(static_cast<unsigned char>(c))) {
      flush();
    } else {
      word += c;
    }
  }
  flush();
  return tokens;
}

Term parse_term(const std::string& rule, const std::string& term) {
  Term dims;
  bool inside = false;
  for (const std::string& token : tokens_of(term)) {
    if (token == "(") {
      if (inside) malformed_rule(rule, "nested parentheses");
      inside = true;
      dims.emplace_back();
    } else if (token == ")") {
      if (!inside) malformed_rule(rule, "a ) without its (");
      inside = false;
    } else if (inside) {
      dims.back().names.push_back(token);
    } else if (token == "...") {
      dims.push_back({{}, true});
    } else if (token == "1") {
      dims.emplace_back();
    } else {
      dims.push_back({{token}, false});
    }
  }
  if (inside) malformed_rule(rule, "a ( without its )");
  return dims;
}

std::vector<Term> parse_side(const std::string& rule, const std::string& side) {
  std::vector<Term> terms;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = side.find(',', begin);
    terms.push_back(parse_term(rule, side.substr(begin, comma - begin)));
    if (comma == std::string::npos) return terms;
    begin = comma + 1;
  }
}

}  // namespace

void malformed_rule(const std::string& text, const std::string& why) {
  fail(Fault::internal, fmt::format("rule \"{}\": {}", text, why));
}

RuleTerms parse_rule(const std::string& text) {
  const std::size_t arrow = text.find("->");
  if (arrow == std::string::npos) malformed_rule(text, "no ->");
  return {parse_side(text, text.substr(0, arrow)), parse_side(text, text.substr(arrow + 2))};
}

void expand_ellipses(RuleTerms& terms, const std::vector<Shape>& shapes) {
  std::vector<Term>& inputs = terms.inputs;
  std::size_t widest = 0;
  auto explicit_dims = [](const Term& term) {
    return static_cast<std::size_t>(
        std::count_if(term.begin(), term.end(), [](const TextDim& d) { return !d.ellipsis; }));
  };
  std::map<std::size_t, std::int64_t> extents;  // position from the right -> extent
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t named = explicit_dims(inputs[i]);
    if (named == inputs[i].size() || shapes[i].size() < named) continue;
    const std::size_t width = shapes[i].size() - named;
    widest = std::max(widest, width);
    for (std::size_t k = 0; k < width; ++k) {
      const std::int64_t extent = shapes[i][width - 1 - k];
      std::int64_t& common = extents.try_emplace(k, 1).first->second;
      if (extent != 1) common = extent;
    }
  }
  auto expand = [&](Term& term, std::size_t width, const Shape* shape) {
    Term out;
    for (TextDim& dim : term) {
      if (!dim.ellipsis) {
        out.push_back(std::move(dim));
        continue;
      }
      for (std::size_t k = width; k-- > 0;) {
        const bool broadcast = shape && (*shape)[width - 1 - k] == 1 && extents[k] != 1;
        out.push_back(broadcast ? TextDim{} : TextDim{{fmt::format("_{}", k)}, false});
      }
    }
    term = std::move(out);
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t named = explicit_dims(inputs[i]);
    const std::size_t width = shapes[i].size() >= named ? shapes[i].size() - named : 0;
    expand(inputs[i], width, &shapes[i]);
  }
  for (Term& term : terms.outputs) expand(term, widest, nullptr);
}

}  // namespace tpinfer::shard
