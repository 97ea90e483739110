#include "shard/layout/rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

// A dimension as written: factor names (with their !), or the ellipsis.
struct TextDim {
  std::vector<std::string> names;
  bool ellipsis = false;
};
using Term = std::vector<TextDim>;

[[noreturn]] void malformed(const std::string& text, const std::string& why) {
  fail(Fault::internal, fmt::format("rule \"{}\": {}", text, why));
}

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
      if (inside) malformed(rule, "nested parentheses");
      inside = true;
      dims.emplace_back();
    } else if (token == ")") {
      if (!inside) malformed(rule, "a ) without its (");
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
  if (inside) malformed(rule, "a ( without its )");
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

// Replaces "..." by dimensions "_k", k counted from the right, of the widest input.
void expand_ellipses(std::vector<Term>& inputs, std::vector<Term>& outputs,
                     const std::vector<Shape>& shapes) {
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
  for (Term& term : outputs) expand(term, widest, nullptr);
}

class Binder {
 public:
  Binder(const std::string& who, const RuleText& text) : who_(who), text_(text) {}

  std::vector<std::vector<RuleDim>> name_factors(const std::vector<Term>& terms) {
    std::vector<std::vector<RuleDim>> out;
    for (const Term& term : terms) {
      std::vector<RuleDim>& dims = out.emplace_back();
      for (const TextDim& dim : term) {
        RuleDim& factors = dims.emplace_back();
        for (const std::string& name : dim.names) factors.push_back(factor_named(name));
      }
    }
    return out;
  }

  void bind_input(std::size_t input, const std::vector<RuleDim>& dims, const Shape& shape) {
    if (dims.size() != shape.size()) {
      fail(Fault::data, fmt::format("{}: input {} has {} dimensions {}, the rule \"{}\" wants {}",
                                    who_, input, shape.size(), to_text(shape), text_.text,
                                    dims.size()));
    }
    for (std::size_t d = 0; d < dims.size(); ++d) {
      if (dims[d].size() == 1) {
        set_extent(dims[d][0], shape[d], input);
        continue;
      }
      std::int64_t product = 1;
      for (int f : dims[d]) product *= extent_of(f);
      if (product != shape[d]) {
        fail(Fault::data, fmt::format("{}: dimension {} of input {} is {}, the rule \"{}\" wants {}",
                                      who_, d, input, shape[d], text_.text, product));
      }
    }
  }

  std::vector<Factor> finish(const Rule& rule) {
    for (std::size_t f = 0; f < factors_.size(); ++f) extent_of(static_cast<int>(f));
    for (Factor& factor : factors_) factor.cuttable = !factor.whole && factor.extent > 1;
    auto look = [&](const std::vector<std::vector<RuleDim>>& tensors, std::vector<bool>& seen) {
      for (const auto& dims : tensors) {
        for (const RuleDim& dim : dims) {
          for (std::size_t i = 0; i < dim.size(); ++i) {
            seen[static_cast<std::size_t>(dim[i])] = true;
            if (i > 0) factors_[static_cast<std::size_t>(dim[i])].cuttable = false;
          }
        }
      }
    };
    std::vector<bool> in_inputs(factors_.size()), in_outputs(factors_.size());
    look(rule.inputs, in_inputs);
    look(rule.outputs, in_outputs);
    for (std::size_t f = 0; f < factors_.size(); ++f) {
      factors_[f].contracted = in_inputs[f] && !in_outputs[f];
      if (!in_inputs[f]) factors_[f].cuttable = false;
    }
    return factors_;
  }

 private:
  int factor_named(std::string name) {
    const bool whole = name.back() == '!';
    if (whole) name.pop_back();
    for (std::size_t f = 0; f < factors_.size(); ++f) {
      if (factors_[f].name == name) {
        factors_[f].whole = factors_[f].whole || whole;
        return static_cast<int>(f);
      }
    }
    factors_.push_back({name, 0, whole, false, false});
    source_.emplace_back();
    const auto given = text_.extents.find(name);
    if (given != text_.extents.end()) factors_.back().extent = given->second, source_.back() = -1;
    return static_cast<int>(factors_.size()) - 1;
  }

  std::int64_t extent_of(int f) {
    const auto at = static_cast<std::size_t>(f);
    if (!source_[at]) malformed(text_.text, "no extent for factor " + factors_[at].name);
    return factors_[at].extent;
  }

  void set_extent(int f, std::int64_t extent, std::size_t input) {
    const auto at = static_cast<std::size_t>(f);
    if (!source_[at]) {
      factors_[at].extent = extent;
      source_[at] = static_cast<int>(input);
    } else if (factors_[at].extent != extent) {
      fail(Fault::data, fmt::format("{}: factor {} is {} in input {} and {} in input {}", who_,
                                    factors_[at].name, factors_[at].extent,
                                    std::max(0, *source_[at]), extent, input));
    }
  }

  const std::string& who_;
  const RuleText& text_;
  std::vector<Factor> factors_;
  std::vector<std::optional<int>> source_;  // the input that gave the extent; -1: the operator
};

}  // namespace

Rule bind_rule(const std::string& who, const RuleText& text, const std::vector<Shape>& shapes) {
  const std::size_t arrow = text.text.find("->");
  if (arrow == std::string::npos) malformed(text.text, "no ->");
  std::vector<Term> inputs = parse_side(text.text, text.text.substr(0, arrow));
  std::vector<Term> outputs = parse_side(text.text, text.text.substr(arrow + 2));
  if (inputs.size() != shapes.size()) {
    fail(Fault::data, fmt::format("{}: {} inputs given, {} wanted by the rule \"{}\"", who,
                                  shapes.size(), inputs.size(), text.text));
  }
  expand_ellipses(inputs, outputs, shapes);
  Rule rule;
  Binder binder(who, text);
  rule.inputs = binder.name_factors(inputs);
  rule.outputs = binder.name_factors(outputs);
  for (std::size_t i = 0; i < shapes.size(); ++i) binder.bind_input(i, rule.inputs[i], shapes[i]);
  rule.factors = binder.finish(rule);
  return rule;
}

std::vector<Shape> output_shapes(const Rule& rule) {
  std::vector<Shape> shapes;
  for (const auto& dims : rule.outputs) {
    Shape& shape = shapes.emplace_back();
    for (const RuleDim& dim : dims) {
      std::int64_t extent = 1;
      for (int f : dim) extent *= rule.factors[static_cast<std::size_t>(f)].extent;
      shape.push_back(extent);
    }
  }
  return shapes;
}

Layout layout_of(const Rule& rule, const std::vector<RuleDim>& dims, bool is_output,
                 const std::vector<Cut>& cuts, const Mesh& mesh) {
  Shape shape;
  for (const RuleDim& dim : dims) {
    std::int64_t extent = 1;
    for (int f : dim) extent *= rule.factors[static_cast<std::size_t>(f)].extent;
    shape.push_back(extent);
  }
  Layout layout = replicate(mesh, dims.size());
  for (const Cut& c : cuts) {
    const Factor& factor = rule.factors[static_cast<std::size_t>(c.factor)];
    for (std::size_t d = 0; d < dims.size(); ++d) {
      if (dims[d].empty() || dims[d][0] != c.factor) continue;
      const std::int64_t grain = factor.extent == 0 ? 1 : shape[d] / factor.extent;
      cut(layout, mesh, shape, static_cast<int>(d), c.axes, {std::max<std::int64_t>(1, grain), c.by_leaf});
    }
    if (!factor.contracted || !is_output) continue;
    for (int a : c.axes) layout.placements[static_cast<std::size_t>(a)] = {Placement::Kind::partial, 0};
  }
  return layout;
}

}  // namespace tpinfer::shard
