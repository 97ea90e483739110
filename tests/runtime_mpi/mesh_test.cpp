// Random networks on random meshes, loaded from random forms: pipeline stages with micro-batches in
// flight, parts of the batch, several tensor axes, unequal shares; one file, or the files of
// another number of ranks on another mesh. The bits are those of one rank; only runs that cut
// something count. TPINFER_LONG_TESTS=1 runs thousands of cases instead of dozens per rank count.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/pipeline.hpp"
#include "shard/file/checkpoint_writer.hpp"
#include "shard/plan/batch.hpp"
#include "shard/plan/checkpoint_cuts.hpp"
#include "shard/plan/plan_text.hpp"
#include "tests/runtime_mpi/shared_model.hpp"

namespace tpinfer::runtime {
namespace {

// Numbers from a seed, the same on all ranks.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : seed_(seed) {}
  int below(int limit) {
    return static_cast<int>(test::hash(seed_, ++thrown_) % static_cast<std::uint32_t>(limit));
  }

 private:
  std::uint32_t seed_, thrown_ = 0;
};

// Factors `ranks` into pp, dp and one or two tensor axes.
shard::MeshOptions random_mesh(int ranks, int nodes, Dice& dice) {
  auto divisor = [&](int of) {
    std::vector<int> divisors;
    for (int d = 1; d <= of; ++d) {
      if (of % d == 0) divisors.push_back(d);
    }
    return divisors[static_cast<std::size_t>(dice.below(static_cast<int>(divisors.size())))];
  };
  shard::MeshOptions options;
  options.pp = divisor(ranks);
  if (options.pp > nodes) options.pp = 1;
  options.dp = divisor(ranks / options.pp);
  const int tp = ranks / options.pp / options.dp, first = divisor(tp);
  options.tp = {first, tp / first};
  if (dice.below(3) == 0) {
    for (int r = 0; r < ranks; ++r) options.rank_weights.push_back(dice.below(4));
    options.rank_weights[static_cast<std::size_t>(dice.below(ranks))] = 2;
  }
  return options;
}

// The planner's decisions, or any legal ones.
shard::Plan random_plan(const shard::BoundGraph& graph, const shard::PlanOptions& options,
                        int ranks, Dice& dice) {
  const shard::Plan planned = shard::make_plan(graph, ranks, options);
  if (dice.below(3) == 0) return planned;
  const auto fixed = shard::fixed_by_mesh(graph, planned.mesh, options);
  std::vector<shard::Decision> decisions;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto all = shard::candidates_of(graph, graph.nodes[n], planned.mesh, true, fixed[n]);
    decisions.push_back(all[static_cast<std::size_t>(dice.below(static_cast<int>(all.size())))]);
  }
  return shard::lay_out(graph, planned.mesh, std::move(decisions));
}

shard::PlanOptions random_options(const shard::Graph& graph, const shard::BoundGraph& bound,
                                  int ranks, Dice& dice) {
  shard::PlanOptions options;
  options.mesh = random_mesh(ranks, static_cast<int>(bound.nodes.size()), dice);
  options.batch_inputs = shard::batch_inputs(graph, bound);
  for (const shard::BoundNode& node : bound.nodes) {  // stages in any order, now and then
    if (options.mesh.pp > 1 && dice.below(9) == 0) {
      options.stages[node.node.name] = dice.below(options.mesh.pp);
    }
  }
  return options;
}

// The model in a form that ranks may have left behind: as it is, or as a checkpoint of up to 9
// ranks on a mesh of theirs, with its master, without it, or with the files' names mixed up.
class Form {
 public:
  Form(Model& model, Dice& dice) {
    static int made = 0;
    const int kind = dice.below(4), ranks = 1 + dice.below(9);
    if (kind == 0) return;
    name = std::to_string(ranks) + (kind == 1   ? " files"
                                    : kind == 2 ? " files, no master"
                                                : " mixed");
    const shard::BoundGraph bound = test::bind(model, 4);
    const shard::PlanOptions options = random_options(model.graph(""), bound, ranks, dice);
    const shard::Plan plan = random_plan(bound, options, ranks, dice);
    folder_ = comm::broadcast_text(world(),
                                   testing::TempDir() + "tpinfer_form_" +
                                       std::to_string(::getpid()) + "_" + std::to_string(++made),
                                   0);
    if (world().rank() == 0) {
      std::map<std::string, Shape> shapes;
      for (const auto& [weight, info] : model.weights()) shapes[weight] = info.shape;
      shard::write_checkpoint(model.file(), folder_, "m",
                              shard::cuts_of(shapes, {{bound, plan}}, ranks), [] {});
      if (kind > 1) std::filesystem::remove(folder_ + "/m.h5");
      for (int r = 0; kind == 3 && r < ranks; ++r) {
        std::filesystem::rename(folder_ + "/m" + std::to_string(r) + ".h5",
                                folder_ + "/" + std::to_string(97 * r % 101) + ".h5");
      }
    }
    world().barrier();
    model_ = std::make_unique<Model>(shard::scan_model(folder_));
  }
  ~Form() {
    world().barrier();
    if (world().rank() == 0 && model_) std::filesystem::remove_all(folder_);
  }

  shard::ModelFile& file(Model& plain) { return model_ ? model_->file() : plain.file(); }
  std::string name = "one file";

 private:
  std::string folder_;
  std::unique_ptr<Model> model_;
};

struct Tally {
  int cut = 0;                                    // cases in which something was cut
  std::map<shard::PlanStep::Kind, int> kinds;     // steps that ran
  int staged = 0, halved = 0, micro_batched = 0;  // with pp, with dp, with several micro-batches
  int sharded = 0;                                // loaded from the files of several ranks
};

void run_case(std::uint32_t seed, Tally& tally) {
  Dice dice(seed);
  SharedModel shared(seed, 2 + dice.below(5), false);
  const std::int64_t batch = 1 + dice.below(9);
  const shard::Graph graph = shared.model().graph("");
  const Pipeline::Options pipeline_options{
      "batch", 1 + dice.below(4),
      [&](const shard::Symbols& s) { return test::bind(shared.model(), s.at("batch")); }};
  const shard::Symbols all{{"batch", batch}};
  const shard::Symbols part = Pipeline::largest_micro_batch(pipeline_options, all);
  const shard::BoundGraph bound = pipeline_options.bind(part);
  const shard::PlanOptions options = random_options(graph, bound, world().size(), dice);
  const shard::Plan plan = random_plan(bound, options, world().size(), dice);
  Form form(shared.model(), dice);
  shard::ModelFile& file = form.file(shared.model());

  Engine engine(bound, plan, world(), {});
  engine.allocate();
  const std::size_t before = file.bytes_read();
  engine.weights().load({&file}, {});
  const std::string what = "seed " + std::to_string(seed) + ", batch " + std::to_string(batch) +
                           ", " + form.name + ", micro-batches " +
                           std::to_string(pipeline_options.micro_batches) + "\n" +
                           shard::describe_plan(bound, plan);
  EXPECT_EQ(file.bytes_read() - before, shard::weight_bytes(plan, world().rank())) << what;
  Pipeline pipeline(engine, world(), pipeline_options, part);
  const auto x = tpinfer::test::noise(seed, batch * shared.width());
  for (const std::int64_t rows : {batch, std::int64_t{1}, batch}) {  // there and back
    pipeline.prepare({{"batch", rows}});
    const View in = pipeline.input(0);
    std::memcpy(in.data, x.data(), in.bytes());
    pipeline.run();
    const View out = pipeline.output(0);
    const std::string expected = shared.reference(batch, x).substr(0, out.bytes());
    EXPECT_TRUE(expected == std::string(out.as<char>(), out.bytes())) << rows << " rows, " << what;
  }
  bool cut = plan.mesh.axis(shard::kPipelineAxis) >= 0;
  for (const shard::Value& value : plan.values) cut = cut || !value.layout.replicated();
  if (!cut) return;
  ++tally.cut;
  for (const shard::PlanStep& step : plan.steps) ++tally.kinds[step.kind];
  if (options.mesh.pp > 1) ++tally.staged;
  if (options.mesh.dp > 1) ++tally.halved;
  if (pipeline_options.micro_batches > 1) ++tally.micro_batched;
  if (form.name != "one file") ++tally.sharded;
}

TEST(MeshSameness, RandomNetworksOnRandomMeshes) {
  const bool longer = std::getenv("TPINFER_LONG_TESTS") != nullptr;
  const std::uint32_t cases = longer ? 5000 : 250;
  Tally tally;
  for (std::uint32_t seed = 9000; seed < 9000 + cases && !HasFailure(); ++seed) {
    run_case(seed, tally);
  }
  if (world().rank() == 0) {
    printf(
        "%d of %u cases cut something: %d with stages, %d with parts of the batch, %d with "
        "micro-batches, %d from sharded files\n",
        tally.cut, cases, tally.staged, tally.halved, tally.micro_batched, tally.sharded);
  }
  if (world().size() == 1) return;
  EXPECT_GE(tally.cut, static_cast<int>(cases) / 2);
  // As many stages as 7 or 13 ranks are more than most of these networks have operators.
  const int size = world().size();
  const bool divides = size % 2 == 0 || size % 3 == 0 || size % 5 == 0;
  if (divides) {
    EXPECT_GE(tally.staged, static_cast<int>(cases) / 8);
  }
  EXPECT_GE(tally.halved, static_cast<int>(cases) / 16);
  EXPECT_GE(tally.micro_batched, static_cast<int>(cases) / 4);
  EXPECT_GE(tally.sharded, static_cast<int>(cases) / 2);
  EXPECT_GE(tally.kinds.size(), divides ? 7u : 6u) << "not every kind of step has come up";
}

}  // namespace
}  // namespace tpinfer::runtime
