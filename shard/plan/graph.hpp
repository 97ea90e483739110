// A model as data: a straight list of operators over named tensors with global shapes.
// The JSON form is specified in docs/model-format.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kernels/base/dtype.hpp"
#include "kernels/base/shape.hpp"

namespace tpinfer::shard {

// An extent is a number, or a symbol such as "batch" whose value is known at launch.
struct Extent {
  std::int64_t value = 0;  // used when symbol is empty
  std::string symbol;
  bool operator==(const Extent&) const = default;
};

struct ValueSpec {  // a graph input, or a state
  std::string name;
  DType dtype = DType::f32;
  std::vector<Extent> shape;
};

using Attribute =
    std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;
using Attributes = std::map<std::string, Attribute>;

// Cuts per input and dimension, as a user writes them: ((1,8),(8,1)).
using Strategy = std::vector<std::vector<std::int64_t>>;

// What lower() remembers of a Gemm in the MatMul that it becomes: which inputs it sees transposed.
struct GemmOrigin {
  bool trans_a = false, trans_b = false;
};

struct Node {
  std::string name;                  // unique; defaults to the first output's name
  std::string op;                    // ONNX operator name
  std::vector<std::string> inputs;   // tensor or weight names; "" = an optional input left out
  std::vector<std::string> outputs;  // at least one
  Attributes attributes;
  std::optional<Strategy> strategy;
  std::optional<GemmOrigin> gemm = {};
};

struct Graph {
  std::string name;
  std::vector<ValueSpec> inputs;
  std::vector<std::string> outputs;
  std::vector<ValueSpec> states;
  std::vector<Node> nodes;  // any order in the file; sorted so that inputs come before their use
};

// Parses a graph's JSON and sorts its nodes (stable). Throws Fault::data that names the node and
// field: unknown keys, wrong types, duplicate names, an input nobody makes (`known_weights` are
// the names under /weights; a view such as "w[:,0:64]" refers to weight "w"), a cycle. `kind` is
// what messages call it.
Graph parse_graph(const std::string& name, const std::string& json,
                  const std::vector<std::string>& known_weights, const std::string& kind = "graph");

// One entry of "inputs", checked as there.
ValueSpec parse_value_spec(const std::string& where, const std::string& json);

// The inverse, in the key order of the documentation.
std::string to_json(const Graph& graph);

// Attribute of a node, or `fallback` when it is absent. Throws Fault::data naming node and
// attribute when it has another type (an integer serves as a float).
std::int64_t int_attribute(const Node& node, const std::string& key, std::int64_t fallback);
double float_attribute(const Node& node, const std::string& key, double fallback);
std::string string_attribute(const Node& node, const std::string& key, const std::string& fallback);
std::optional<std::vector<std::int64_t>> ints_attribute(const Node& node, const std::string& key);

}  // namespace tpinfer::shard
