#include "shard/layout/rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "kernels/base/error.hpp"
#include "shard/layout/rule_text.hpp"

namespace tpinfer::shard {
namespace {

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
      fail(Fault::data,
           fmt::format("{}: input {} has {} dimensions {}, the rule \"{}\" wants {}", who_, input,
                       shape.size(), to_text(shape), text_.text, dims.size()));
    }
    for (std::size_t d = 0; d < dims.size(); ++d) {
      if (dims[d].size() == 1) {
        set_extent(dims[d][0], shape[d], input);
        continue;
      }
      std::int64_t product = 1;
      for (int f : dims[d]) product *= extent_of(f);
      if (product != shape[d]) {
        fail(Fault::data,
             fmt::format("{}: dimension {} of input {} is {}, the rule \"{}\" wants {}", who_, d,
                         input, shape[d], text_.text, product));
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
    if (!source_[at]) malformed_rule(text_.text, "no extent for factor " + factors_[at].name);
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
  RuleTerms terms = parse_rule(text.text);
  if (terms.inputs.size() != shapes.size()) {
    fail(Fault::data, fmt::format("{}: {} inputs given, {} wanted by the rule \"{}\"", who,
                                  shapes.size(), terms.inputs.size(), text.text));
  }
  expand_ellipses(terms, shapes);
  Rule rule;
  Binder binder(who, text);
  rule.inputs = binder.name_factors(terms.inputs);
  rule.outputs = binder.name_factors(terms.outputs);
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
                 const std::vector<Cut>& cuts, const Mesh& mesh, int stage) {
  Shape shape;
  for (const RuleDim& dim : dims) {
    std::int64_t extent = 1;
    for (int f : dim) extent *= rule.factors[static_cast<std::size_t>(f)].extent;
    shape.push_back(extent);
  }
  Layout layout = replicate(mesh, dims.size());
  if (const int axis = mesh.axis(kPipelineAxis); axis >= 0) {
    layout.placements[static_cast<std::size_t>(axis)] = {Placement::Kind::stage, stage};
  }
  for (const Cut& c : cuts) {
    const Factor& factor = rule.factors[static_cast<std::size_t>(c.factor)];
    for (std::size_t d = 0; d < dims.size(); ++d) {
      if (dims[d].empty() || dims[d][0] != c.factor) continue;
      const std::int64_t grain = factor.extent == 0 ? 1 : shape[d] / factor.extent;
      cut(layout, mesh, shape, static_cast<int>(d), c.axes,
          {std::max<std::int64_t>(1, grain), c.by_leaf});
    }
    if (!factor.contracted || !is_output) continue;
    for (int a : c.axes)
      layout.placements[static_cast<std::size_t>(a)] = {Placement::Kind::partial, 0};
  }
  return layout;
}

}  // namespace tpinfer::shard
