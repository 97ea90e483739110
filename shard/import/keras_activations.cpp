#include <array>
#include <string_view>

#include "shard/import/keras_layers.hpp"

namespace tpinfer::shard {
namespace {

using Add = std::string (*)(GraphBuilder& graph, const std::string& x);

// Without overflow: max(x, 0) + log(1 + exp(-|x|)).
std::string add_softplus(GraphBuilder& graph, const std::string& x) {
  const std::string decayed = graph.add("Exp", {graph.add("Neg", {graph.add("Abs", {x})})});
  const std::string tail =
      graph.add("Log", {graph.add("Add", {decayed, graph.add_scalar("one", 1.0f)})});
  return graph.add("Add", {graph.add("Relu", {x}), tail});
}

std::string add_selu(GraphBuilder& graph, const std::string& x) {
  const std::string bent = graph.add("Elu", {x}, {{"alpha", 1.6732632423543772}});
  return graph.add("Mul", {bent, graph.add_scalar("selu_scale", 1.0507009873554805f)});
}

std::string add_silu(GraphBuilder& graph, const std::string& x) {
  return graph.add("Mul", {x, graph.add("Sigmoid", {x})});
}

std::string add_softsign(GraphBuilder& graph, const std::string& x) {
  const std::string size = graph.add("Abs", {x});
  return graph.add("Div", {x, graph.add("Add", {size, graph.add_scalar("one", 1.0f)})});
}

std::string add_relu6(GraphBuilder& graph, const std::string& x) {
  return graph.add("Min", {graph.add("Relu", {x}), graph.add_scalar("six", 6.0f)});
}

struct Row {
  std::string_view name;
  Add add;
};

constexpr std::array<Row, 17> kActivations{{
    {"linear", [](GraphBuilder&, const std::string& x) { return x; }},
    {"relu", [](GraphBuilder& g, const std::string& x) { return g.add("Relu", {x}); }},
    {"softmax",
     [](GraphBuilder& g, const std::string& x) {
       return g.add("Softmax", {x}, {{"axis", std::int64_t{-1}}});
     }},
    {"log_softmax",
     [](GraphBuilder& g, const std::string& x) {
       return g.add("LogSoftmax", {x}, {{"axis", std::int64_t{-1}}});
     }},
    {"sigmoid", [](GraphBuilder& g, const std::string& x) { return g.add("Sigmoid", {x}); }},
    {"tanh", [](GraphBuilder& g, const std::string& x) { return g.add("Tanh", {x}); }},
    {"elu",
     [](GraphBuilder& g, const std::string& x) {
       return g.add("Elu", {x}, {{"alpha", 1.0}});
     }},
    {"gelu",
     [](GraphBuilder& g, const std::string& x) {
       return g.add("Gelu", {x}, {{"approximate", std::string("none")}});
     }},
    {"exponential", [](GraphBuilder& g, const std::string& x) { return g.add("Exp", {x}); }},
    {"leaky_relu",
     [](GraphBuilder& g, const std::string& x) {
       return g.add("LeakyRelu", {x}, {{"alpha", 0.2}});
     }},
    {"softplus", add_softplus},
    {"selu", add_selu},
    {"silu", add_silu},
    {"swish", add_silu},
    {"softsign", add_softsign},
    {"relu6", add_relu6},
    {"identity", [](GraphBuilder&, const std::string& x) { return x; }},
}};

}  // namespace

std::string add_keras_activation(const KerasCall& call, const std::string& name,
                                 const std::string& tensor) {
  for (const Row& row : kActivations) {
    if (row.name == name) return row.add(call.graph, tensor);
  }
  fail_layer(call.layer, "the activation " + name + " is not one that tpinfer imports");
}

}  // namespace tpinfer::shard
