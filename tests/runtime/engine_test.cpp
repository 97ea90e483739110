// The engine on one rank without MPI: a model file in, an output out.
#include "runtime/engine.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "comm/single.hpp"
#include "kernels/base/error.hpp"
#include "runtime/program.hpp"
#include "tests/runtime/random_model.hpp"

namespace tpinfer::runtime {
namespace {

// A model file that goes with the test.
class TemporaryModel {
 public:
  TemporaryModel(std::uint32_t number, const shard::ModelContents& contents)
      : TemporaryModel(number) {
    shard::write_model(path, contents);
  }
  TemporaryModel(std::uint32_t number, const test::RandomNetwork& network)
      : TemporaryModel(number) {
    network.write(path);
  }
  TemporaryModel(const TemporaryModel&) = delete;
  TemporaryModel& operator=(const TemporaryModel&) = delete;
  ~TemporaryModel() { std::remove(path.c_str()); }

  const std::string path;

 private:
  explicit TemporaryModel(std::uint32_t number)
      : path(test::scratch_path(testing::TempDir(), number)) {}
};

shard::Node node(std::string op, std::vector<std::string> inputs, std::string output,
                 shard::Attributes attributes = {}) {
  return {output + "." + op,   std::move(op),         std::move(inputs),
          {std::move(output)}, std::move(attributes), {}};
}

// The acceptance cases' network: w = 16i+j (96,16), y = -(x w), in a graph of one batch symbol.
shard::ModelContents matmul_neg() {
  std::vector<float> w(96 * 16);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i);
  shard::Graph graph;
  graph.inputs = {{"x", DType::f32, {{0, "batch"}, {96, ""}}}};
  graph.nodes = {node("MatMul", {"x", "w"}, "p"), node("Neg", {"p"}, "y")};
  graph.outputs = {"y"};
  return {{{"main", shard::to_json(graph)}}, {shard::tensor_of("w", {96, 16}, w)}, {}};
}

std::unique_ptr<Engine> ready(Model& model, const shard::BoundGraph& graph,
                              comm::Communicator& world, const EngineOptions& options = {}) {
  auto engine = std::make_unique<Engine>(graph, shard::make_plan(graph, 1, {}), world, options);
  engine->allocate();
  engine->weights().load({&model.file()}, {});
  return engine;
}

TEST(Engine, RunsAModelFile) {
  const TemporaryModel file(1, matmul_neg());
  Model model(shard::scan_model(file.path));
  const auto world = comm::single_rank();
  const shard::BoundGraph graph = test::bind(model, 2);
  Engine engine(graph, shard::make_plan(graph, 1, {}), *world, {});
  EXPECT_EQ(engine.weights().part_bytes(), 96u * 16 * 4);
  engine.allocate();
  const std::size_t before = model.file().bytes_read();
  std::size_t told = 0;
  engine.weights().load({&model.file()}, [&](std::size_t done, std::size_t all) {
    EXPECT_EQ(all, 96u * 16 * 4);
    told = done;
  });
  EXPECT_EQ(told, 96u * 16 * 4);
  EXPECT_EQ(model.file().bytes_read() - before, shard::weight_bytes(engine.plan(), 0));
  test::run(engine, std::vector<float>(2 * 96, 1));
  const View out = engine.output(0);
  EXPECT_EQ(out.shape, (Shape{2, 16}));
  EXPECT_EQ(out.as<float>()[0], -72960.0F);
  EXPECT_EQ(out.as<float>()[1], -73056.0F);
  EXPECT_EQ(out.as<float>()[16], -72960.0F);
  // Again, with other numbers: nothing is left of the first run.
  test::run(engine, std::vector<float>(2 * 96, 0));
  EXPECT_EQ(engine.output(0).as<float>()[5], -0.0F);
  int weights = 0;
  engine.weights().for_each([&](const std::string& name, const View& view) {
    EXPECT_EQ(name, "w");
    EXPECT_EQ(view.as<float>()[17], 17.0F);
    ++weights;
  });
  EXPECT_EQ(weights, 1);
}

TEST(Engine, KernelFamiliesGiveTheSameBits) {
  for (std::uint32_t seed = 0; seed < 6; ++seed) {
    const test::RandomNetwork network(100 + seed, 5, false);
    const TemporaryModel file(100 + seed, network);
    Model model(shard::scan_model(file.path));
    const auto world = comm::single_rank();
    const shard::BoundGraph graph = test::bind(model, 9);
    const auto x = tpinfer::test::noise(seed, 9 * network.input_width());
    std::vector<std::string> outputs;
    for (kernels::Family family :
         {kernels::Family::reference, kernels::Family::eigen, kernels::Family::blas}) {
      outputs.push_back(test::run(*ready(model, graph, *world, {family, false}), x));
    }
    EXPECT_EQ(outputs[1], outputs[0]) << "eigen, network " << seed;
    EXPECT_EQ(outputs[2], outputs[0]) << "blas, network " << seed;
  }
}

// Smaller batches give the same rows, and growing again too.
TEST(Engine, RebindKeepsRowsAndWeights) {
  for (std::uint32_t seed = 0; seed < 30; ++seed) {
    const test::RandomNetwork network(200 + seed, 2 + static_cast<int>(seed % 5), false);
    const TemporaryModel file(200 + seed, network);
    Model model(shard::scan_model(file.path));
    const auto world = comm::single_rank();
    const auto owner = ready(model, test::bind(model, 7), *world);
    Engine& engine = *owner;
    const auto x = tpinfer::test::noise(seed, 7 * network.input_width());
    const std::string whole = test::run(engine, x);
    const std::size_t read = model.file().bytes_read();
    for (std::int64_t rows : {1, 3, 2, 7}) {
      engine.use(engine.bind(test::bind(model, rows)));
      const std::string part = test::run(engine, x);
      EXPECT_EQ(part.size(), whole.size() / 7 * static_cast<std::size_t>(rows));
      EXPECT_EQ(part, whole.substr(0, part.size())) << rows << " rows of network " << seed;
    }
    EXPECT_EQ(model.file().bytes_read(), read);
  }
}

TEST(Engine, ReleasedBindingsAreGoneAndTheirNumbersComeAgain) {
  const TemporaryModel file(5, matmul_neg());
  Model model(shard::scan_model(file.path));
  const auto world = comm::single_rank();
  const auto engine = ready(model, test::bind(model, 7), *world);
  for (std::int64_t rows = 1; rows < 20; ++rows) {
    const std::size_t number = engine->bind(test::bind(model, rows));
    EXPECT_EQ(number, 1U);
    EXPECT_EQ(engine->step_times().size(), 2U);
    engine->release(number);
    EXPECT_EQ(engine->step_times().size(), 1U);
  }
}

TEST(Engine, SlicesAndTransposedWeightsAreReadAsTheirBoxes) {
  shard::ModelContents contents = matmul_neg();
  shard::Graph graph;
  graph.inputs = {{"x", DType::f32, {{0, "batch"}, {96, ""}}}};
  graph.nodes = {node("MatMul", {"x", "w[:,4:8]"}, "p"),
                 node("Gemm", {"p", "w[8:10,2:6]"}, "y", {{"transB", std::int64_t{1}}})};
  graph.outputs = {"y"};
  contents.graphs = {{"main", shard::to_json(graph)}};
  const TemporaryModel file(3, contents);
  Model model(shard::scan_model(file.path));
  const auto world = comm::single_rank();
  const std::size_t before = model.file().bytes_read();
  const auto engine = ready(model, test::bind(model, 1), *world);
  EXPECT_EQ(model.file().bytes_read() - before, (96u * 4 + 2 * 4) * 4);
  std::vector<float> x(96, 0);
  x[2] = 1;  // row 2 of w[:,4:8]: 36 37 38 39
  test::run(*engine, x);
  const float* y = engine->output(0).as<float>();
  EXPECT_EQ(y[0], 36.0F * 130 + 37.0F * 131 + 38.0F * 132 + 39.0F * 133);
  EXPECT_EQ(y[1], 36.0F * 146 + 37.0F * 147 + 38.0F * 148 + 39.0F * 149);
}

// Values whose lives overlap never share memory; weights have a store of their own.
TEST(Program, PlacesDoNotCollide) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const TemporaryModel file(300 + seed, test::RandomNetwork(300 + seed, 6, false));
    Model model(shard::scan_model(file.path));
    const shard::BoundGraph graph = test::bind(model, 5);
    for (int ranks : {1, 3, 8}) {
      const shard::Plan plan = shard::make_plan(graph, ranks, {});
      for (int rank = 0; rank < ranks; ++rank) {
        const Program program = compile(graph, plan, rank, false);
        for (const Place& place : program.places) {
          const bool weight = place.store == Place::Store::weights;
          EXPECT_LE(place.offset + place.bytes,
                    weight ? program.weight_bytes : program.arena_bytes);
          EXPECT_EQ(place.offset % 64, 0u);
        }
        for (const shard::PlanStep& step : plan.steps) {
          for (int in : step.inputs) {
            for (int out : step.outputs) {
              if (in < 0 || out < 0) continue;
              const Place& a = program.places[static_cast<std::size_t>(in)];
              const Place& b = program.places[static_cast<std::size_t>(out)];
              if (a.store != b.store) continue;
              EXPECT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset);
            }
          }
        }
      }
    }
  }
}

TEST(Program, FingerprintsTellPlansApart) {
  const TemporaryModel file(4, matmul_neg());
  Model model(shard::scan_model(file.path));
  const shard::BoundGraph graph = test::bind(model, 8);
  const std::string two = fingerprint(graph, shard::make_plan(graph, 2, {}), "");
  EXPECT_EQ(two, fingerprint(graph, shard::make_plan(graph, 2, {}), ""));
  EXPECT_NE(two, fingerprint(graph, shard::make_plan(graph, 3, {}), ""));
  EXPECT_NE(two, fingerprint(graph, shard::make_plan(graph, 2, {}), "fast"));
  const shard::BoundGraph other = test::bind(model, 9);
  EXPECT_NE(two, fingerprint(other, shard::make_plan(other, 2, {}), ""));
}

}  // namespace
}  // namespace tpinfer::runtime
