// A random network that all ranks of a test see.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "comm/single.hpp"
#include "comm/texts.hpp"
#include "tests/comm/world.hpp"
#include "tests/runtime/random_model.hpp"

namespace tpinfer::runtime {

using comm::world;

// A random network's file, written by rank 0 and seen by all; gone with the object.
class SharedModel {
 public:
  SharedModel(std::uint32_t seed, int layers, bool exact) : network_(seed, layers, exact) {
    path_ = comm::broadcast_text(world(), test::scratch_path(testing::TempDir(), seed), 0);
    if (world().rank() == 0) network_.write(path_);
    world().barrier();
    model_ = std::make_unique<Model>(shard::scan_model(path_));
  }
  ~SharedModel() {
    world().barrier();
    if (world().rank() == 0) std::remove(path_.c_str());
  }

  Model& model() { return *model_; }
  std::int64_t width() const { return network_.input_width(); }

  // What one rank computes, alone and without MPI.
  std::string reference(std::int64_t batch, const std::vector<float>& x) {
    const auto alone = comm::single_rank();
    const shard::BoundGraph graph = test::bind(*model_, batch);
    Engine engine(graph, shard::make_plan(graph, 1, {}), *alone, {});
    engine.allocate();
    engine.weights().load({&model_->file()}, {});
    return test::run(engine, x);
  }

 private:
  test::RandomNetwork network_;
  std::string path_;
  std::unique_ptr<Model> model_;
};

}  // namespace tpinfer::runtime
