// Random networks in model files, and their runs: for tests on one rank and under MPI.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine.hpp"
#include "runtime/model.hpp"
#include "runtime/op.hpp"
#include "shard/file/model_writer.hpp"
#include "shard/file/scan.hpp"
#include "shard/plan/planner.hpp"
#include "tests/kernels/noise.hpp"

namespace tpinfer::runtime::test {

using tpinfer::test::hash;

// A network of `layers` random layers (2 to 6) on x (batch, odd width), with odd sizes throughout.
class RandomNetwork {
 public:
  // `exact`: only MatMul, Add and Relu on small whole numbers, whose sums are exact in any order.
  RandomNetwork(std::uint32_t seed, int layers, bool exact) : seed_(seed), exact_(exact) {
    width_ = some_width();
    graph_.name = "main";
    graph_.inputs = {{"x", DType::f32, {{0, "batch"}, {width_, ""}}}};
    for (int i = 0; i < layers; ++i) add_layer(i == 0 ? 0 : draw(exact ? 5 : 14));
    graph_.outputs = {value_};
    contents_.graphs = {{"main", shard::to_json(graph_)}};
  }

  void write(const std::string& path) const { shard::write_model(path, contents_); }
  std::int64_t input_width() const { return graph_.inputs[0].shape[1].value; }

 private:
  std::uint32_t draw(std::uint32_t below) { return hash(seed_, ++drawn_) % below; }

  std::int64_t some_width() {
    constexpr std::int64_t kWidths[] = {3, 7, 16, 17, 24, 33, 50, 67, 1, 2};
    return kWidths[draw(10)];
  }

  std::string weight(const std::string& name, const Shape& shape) {
    const std::int64_t count = element_count(shape);
    const std::uint32_t seed = hash(seed_, ++drawn_);
    contents_.weights.push_back(shard::tensor_of(
        name, shape,
        exact_ ? tpinfer::test::integers(seed, count, 3) : tpinfer::test::noise(seed, count)));
    return name;
  }

  void add(const std::string& op, std::vector<std::string> more,
           shard::Attributes attributes = {}) {
    more.insert(more.begin(), value_);
    value_ = "t" + std::to_string(++made_);
    graph_.nodes.push_back({value_ + "." + op, op, std::move(more), {value_}, attributes, {}});
  }

  void add_layer(std::uint32_t kind) {
    const std::string name = "w" + std::to_string(++made_);
    const std::int64_t next = some_width();
    const auto earlier = values_.find(width_);
    values_.try_emplace(width_, value_);  // the first of each width: a long way to skip
    switch (kind) {
      case 0:
      case 1:
      case 2:
        add("MatMul", {weight(name, {width_, next})});
        width_ = next;
        return;
      case 3:
        return add("Add", {weight(name, {width_})});
      case 4:
        return add("Relu", {});
      case 5:
        add("Gemm", {weight(name, {next, width_}), weight(name + "b", {next})},
            {{"transB", std::int64_t{1}}, {"alpha", 0.7}});
        width_ = next;
        return;
      case 6:
        return add("Gelu", {});
      case 7:
        return add("Softmax", {});
      case 8:
        return add("LayerNormalization", {weight(name, {width_}), weight(name + "b", {width_})});
      case 9:
        add("Concat", {value_}, {{"axis", std::int64_t{1}}});
        width_ *= 2;
        return;
      case 10:  // rows and columns of every element changed, as attention heads are
        if (width_ % 2 != 0) return add("Tanh", {});
        add("Reshape", {}, {{"shape", std::vector<std::int64_t>{0, 2, width_ / 2}}});
        add("Transpose", {}, {{"perm", std::vector<std::int64_t>{0, 2, 1}}});
        return add("Flatten", {});
      case 11:
      case 12:  // a skip connection, where an earlier value has this width
        if (earlier != values_.end()) return add("Add", {earlier->second});
        return add("Neg", {});
      default:
        return add("Mul", {weight(name, {1, width_})});
    }
  }

  std::uint32_t seed_, drawn_ = 0;
  bool exact_;
  std::int64_t width_ = 0;
  int made_ = 0;
  std::string value_ = "x";
  std::map<std::int64_t, std::string> values_;
  shard::Graph graph_;
  shard::ModelContents contents_;
};

inline shard::BoundGraph bind(const Model& model, std::int64_t batch) {
  return shard::bind(model.graph(""), {{"batch", batch}}, model.weights(), rule_table());
}

// Puts x in, runs, and returns the output's bytes.
inline std::string run(Engine& engine, const std::vector<float>& x) {
  const View in = engine.input(0);
  std::memcpy(in.data, x.data(), in.bytes());
  engine.run();
  const View out = engine.output(0);
  return {out.as<char>(), out.bytes()};
}

inline std::string scratch_path(const std::string& folder, std::uint32_t seed) {
  return folder + "tpinfer_network_" + std::to_string(::getpid()) + "_" + std::to_string(seed) +
         ".h5";
}

}  // namespace tpinfer::runtime::test
