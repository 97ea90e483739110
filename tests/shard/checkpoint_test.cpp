// Sharded checkpoints with any boxes: written, proven, read back, with files missing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <random>

#include "kernels/base/error.hpp"
#include "shard/file/checkpoint_writer.hpp"
#include "shard/file/model_writer.hpp"
#include "shard/file/prove_weights.hpp"
#include "shard/file/scan.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

const char* const kGraph = R"({"inputs":[],"outputs":["y"],
  "nodes":[{"op":"Neg","inputs":["w"],"outputs":["y"]}]})";
const Shape kShape = {7, 6, 5};

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("tpinfer_" + std::string(test->name()) + std::to_string(::getpid()));
    fs::create_directories(folder_);
    values_.resize(static_cast<std::size_t>(element_count(kShape)));
    std::iota(values_.begin(), values_.end(), 1.0f);
    ModelContents contents;
    contents.graphs = {{"main", kGraph}};
    contents.weights.push_back(tensor_of("w", kShape, values_));
    contents.weights.push_back(tensor_of("scale", {}, std::vector<float>{0.5f}));
    write_model(path("m.h5"), contents);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

  // The elements of a box, straight from the values.
  std::vector<float> expected(const Box& box) const {
    std::vector<float> wanted;
    for (std::int64_t i = 0; i < box.extent[0]; ++i) {
      for (std::int64_t j = 0; j < box.extent[1]; ++j) {
        for (std::int64_t k = 0; k < box.extent[2]; ++k) {
          const std::int64_t at = ((box.offset[0] + i) * kShape[1] + box.offset[1] + j) * kShape[2];
          wanted.push_back(values_[static_cast<std::size_t>(at + box.offset[2] + k)]);
        }
      }
    }
    return wanted;
  }

  void write(const std::string& name, const CheckpointCuts& cuts) {
    ModelFile source(scan_model(path("m.h5")));
    write_checkpoint(source, path(name), "m", cuts, {});
  }

  fs::path folder_;
  std::vector<float> values_;
};

Box random_box(std::mt19937& random) {
  Box box;
  for (const std::int64_t extent : kShape) {
    const auto begin = static_cast<std::int64_t>(random()) % extent;
    box.offset.push_back(begin);
    box.extent.push_back(static_cast<std::int64_t>(random()) % (extent - begin) + 1);
  }
  return box;
}

// Overlapping boxes, several per rank; what is left over goes to rank 0.
CheckpointCuts random_cuts(std::mt19937& random, int ranks) {
  CheckpointCuts cuts;
  cuts.ranks = ranks;
  TensorCuts& cut = cuts.weights["w"];
  std::vector<Box> all;
  for (int rank = 0; rank < ranks; ++rank) {
    std::vector<Box>& boxes = cut.boxes.emplace_back();
    for (std::size_t i = random() % 4; i > 0; --i) boxes.push_back(random_box(random));
    boxes = without_contained(boxes);
    all.insert(all.end(), boxes.begin(), boxes.end());
  }
  for (Box& rest : uncovered(whole_box(kShape), all)) cut.boxes[0].push_back(std::move(rest));
  for (int rank = 0; rank < ranks; ++rank) cuts.weights["scale"].boxes.push_back({{{}, {}}});
  return cuts;
}

TEST_F(CheckpointTest, AnyBoxesAndAnyMissingFiles) {
  std::mt19937 random(20240611);
  int holes = 0, whole = 0;
  for (int round = 0; round < 40; ++round) {
    const int ranks = static_cast<int>(random() % 5 + 1);
    const CheckpointCuts cuts = random_cuts(random, ranks);
    const std::string set = "set" + std::to_string(round);
    write(set, cuts);
    {
      ModelFile file(scan_model(path(set)));
      const Proof proof = prove_weights(file);
      EXPECT_EQ(proof.hashes, 2u);
      EXPECT_EQ(proof.slice_hashes, proof.slices);
    }
    std::vector<Box> there;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto& boxes = cuts.weights.at("w").boxes[static_cast<std::size_t>(rank)];
      if (random() % 4 == 0) {
        fs::remove(path(set + "/m" + std::to_string(rank) + ".h5"));
      } else {
        there.insert(there.end(), boxes.begin(), boxes.end());
      }
    }
    ModelFile file(scan_model(path(set + "/m.h5")));
    for (int i = 0; i < 20; ++i) {
      const Box box = random_box(random);
      std::vector<float> got(static_cast<std::size_t>(element_count(box.extent)));
      const std::size_t before = file.bytes_read();
      if (uncovered(box, there).empty()) {
        ++whole;
        file.read("/weights/w", box, got.data());
        ASSERT_EQ(got, expected(box)) << "round " << round << " " << to_text(box);
        ASSERT_EQ(file.bytes_read() - before, got.size() * 4);
        continue;
      }
      ++holes;
      try {
        file.read("/weights/w", box, got.data());
        ADD_FAILURE() << "round " << round << " " << to_text(box);
      } catch (const Error& error) {
        ASSERT_EQ(error.fault(), Fault::data);
        ASSERT_NE(std::string(error.what()).find("missing: "), std::string::npos) << error.what();
        ASSERT_EQ(file.bytes_read(), before);
      }
    }
  }
  EXPECT_GT(holes, 50);
  EXPECT_GT(whole, 50);
}

// Rank 3 alone holds the upper half, so that whoever needs it takes the scale from rank 3, too, and
// not from rank 1, whose copy comes first.
TEST_F(CheckpointTest, FewFilesAreOpened) {
  CheckpointCuts cuts;
  cuts.ranks = 4;
  const Box upper{{0, 0, 0}, {3, 6, 5}}, lower{{3, 0, 0}, {4, 6, 5}};
  cuts.weights["w"].boxes = {{lower}, {lower}, {lower}, {upper}};
  cuts.weights["scale"].boxes = {{}, {{{}, {}}}, {}, {{{}, {}}}};
  write("set", cuts);
  const auto opened = [&](const std::vector<BoxRequest>& reads) {
    ModelFile file(scan_model(path("set/m{rank}.h5")));
    file.prepare(reads);
    EXPECT_EQ(file.bytes_read(), 0u);
    const std::size_t files = file.files_opened();
    for (const BoxRequest& request : reads) {
      std::vector<float> got(static_cast<std::size_t>(element_count(request.box.extent)));
      file.read(request.path, request.box, got.data());
    }
    EXPECT_EQ(file.files_opened(), files);
    return files;
  };
  EXPECT_EQ(opened({{"/weights/w", lower}}), 1u);
  EXPECT_EQ(opened({{"/weights/scale", {{}, {}}}, {"/weights/w", {{0, 0, 0}, {2, 6, 5}}}}), 1u);
  EXPECT_EQ(opened({}), 0u);
}

// A-44: two stages of two ranks, each with its own weight; the second stage's files are gone.
TEST_F(CheckpointTest, AStageNeedsItsOwnFilesOnly) {
  ModelContents contents;
  contents.graphs = {{"main", kGraph}};
  contents.weights.push_back(tensor_of("w", {4, 2}, std::vector<float>(8, 1.0f)));
  contents.weights.push_back(tensor_of("v", {4, 2}, std::vector<float>(8, 2.0f)));
  write_model(path("stages.h5"), contents);
  CheckpointCuts cuts;
  cuts.ranks = 4;
  const Box upper{{0, 0}, {2, 2}}, lower{{2, 0}, {2, 2}};
  cuts.weights["w"].boxes = {{upper}, {lower}, {}, {}};
  cuts.weights["v"].boxes = {{}, {}, {upper}, {lower}};
  ModelFile source(scan_model(path("stages.h5")));
  write_checkpoint(source, path("set"), "m", cuts, {});
  for (const char* name : {"set/m2.h5", "set/m3.h5"}) fs::remove(path(name));
  ModelFile file(scan_model(path("set")));
  file.prepare({{"/weights/w", whole_box({4, 2})}});
  EXPECT_EQ(file.files_opened(), 2u);
  std::vector<float> got(8);
  file.read("/weights/w", whole_box({4, 2}), got.data());
  EXPECT_EQ(got, std::vector<float>(8, 1.0f));
  try {
    file.prepare({{"/weights/v", upper}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()),
              "/weights/v: [0:2,0:2] is in no file; 2 of 4 files are there, missing: " +
                  path("set/m2.h5") + " (rank 2)");
  }
}

TEST_F(CheckpointTest, EqualContentsEqualBytesAndOtherCutsOtherNames) {
  std::mt19937 random(5);
  const CheckpointCuts cuts = random_cuts(random, 3);
  write("a", cuts);
  write("b", cuts);
  write("c", random_cuts(random, 3));
  const auto bytes = [&](const std::string& name) {
    std::ifstream file(path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  for (const char* name : {"/m.h5", "/m0.h5", "/m1.h5", "/m2.h5"}) {
    EXPECT_EQ(bytes(std::string("a") + name), bytes(std::string("b") + name)) << name;
  }
  EXPECT_NE(scan_model(path("a")).checkpoint, scan_model(path("c")).checkpoint);
  const ModelTable table = scan_model(path("a"));
  EXPECT_EQ(parse_model_table(to_json(table)), table);
}

TEST_F(CheckpointTest, AStopLeavesNothing) {
  ModelFile source(scan_model(path("m.h5")));
  std::mt19937 random(6);
  const auto stop = [] { fail(Fault::temporary, "stopped"); };
  EXPECT_THROW(write_checkpoint(source, path("set"), "m", random_cuts(random, 2), stop), Error);
  EXPECT_THROW(write_one_file(source, path("one.h5"), stop), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace tpinfer::shard
