// The slices of sharded checkpoints: the known answers of the seeds' systems.
#include "shard/layout/tensor_map.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

const Shape kWeight = {96, 16};  // w[i][j] = 16 i + j

std::int64_t first_element(const Box& box) { return 16 * box.offset[0] + box.offset[1]; }

// Which slice each rank holds, numbered row-major over the cuts.
std::vector<std::int64_t> slice_numbers(const TensorMap& map, const Shape& full) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t rank = 0; rank < map.ranks(); ++rank) {
    const Box box = slice_of("w", map, full, rank);
    std::int64_t number = 0;
    for (std::size_t d = 0; d < full.size(); ++d) {
      number = number * (full[d] / box.extent[d]) + box.offset[d] / box.extent[d];
    }
    numbers.push_back(number);
  }
  return numbers;
}

using Numbers = std::vector<std::int64_t>;

struct Case {
  const char* name;
  TensorMap map;
  Shape full;
  Shape slice;
  Numbers numbers;
};

class TensorMapTest : public testing::TestWithParam<Case> {};

TEST_P(TensorMapTest, KnownSlices) {
  const Case& c = GetParam();
  EXPECT_EQ(slice_numbers(c.map, c.full), c.numbers);
  for (std::int64_t rank = 0; rank < c.map.ranks(); ++rank) {
    EXPECT_EQ(slice_of("w", c.map, c.full, rank).extent, c.slice) << rank;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Seeds, TensorMapTest,
    testing::Values(
        Case{"A20", {{2, 1, 4}, {{1}, {0}}}, kWeight, {96, 4}, {0, 1, 2, 3, 0, 1, 2, 3}},
        Case{"A21", {{1, 8, 1}, {{1}, {0}}}, kWeight, {12, 16}, {0, 1, 2, 3, 4, 5, 6, 7}},
        Case{"A22", {{1, 1, 8}, {{1}, {0}}}, kWeight, {96, 2}, {0, 1, 2, 3, 4, 5, 6, 7}},
        Case{"A23W", {{2, 2, 2}, {{1}, {0}}}, kWeight, {48, 8}, {0, 1, 2, 3, 0, 1, 2, 3}},
        Case{"A23X", {{2, 2, 2}, {{2}, {1}}}, {128, 96}, {64, 48}, {0, 0, 1, 1, 2, 2, 3, 3}},
        Case{"A23Y", {{2, 2, 2}, {{2}, {0}}}, {128, 16}, {64, 8}, {0, 1, 0, 1, 2, 3, 2, 3}},
        Case{"A24W", {{8, 1, 1}, {{1}, {0}}}, kWeight, {96, 16}, {0, 0, 0, 0, 0, 0, 0, 0}},
        Case{"A24X", {{8, 1, 1}, {{2}, {1}}}, {128, 96}, {16, 96}, {0, 1, 2, 3, 4, 5, 6, 7}},
        Case{"A25", {{1, 4, 1, 2}, {{2}, {1}}}, kWeight, {24, 16}, {0, 0, 1, 1, 2, 2, 3, 3}},
        Case{"A25b", {{2, 1, 4, 1}, {{1}, {0}}}, kWeight, {24, 16}, {0, 1, 2, 3, 0, 1, 2, 3}},
        Case{"A26", {{2, 4}, {{1}, {}}}, {32, 32}, {16, 32}, {0, 0, 0, 0, 1, 1, 1, 1}},
        Case{"A27", {{2, 4}, {{0}, {1}}}, {8, 16}, {2, 8}, {0, 2, 4, 6, 1, 3, 5, 7}},
        Case{"A28", {{2, 1, 4}, {{1}, {0}}, 4, 2}, kWeight, {48, 4}, {0, 1, 2, 3, 4, 5, 6, 7}},
        Case{"A34", {{2, 1}, {{1}, {0}}}, {2, 4}, {1, 4}, {0, 1}},
        Case{"A35from", {{4}, {{0}, {}}}, {8, 8}, {2, 8}, {0, 1, 2, 3}},
        Case{"A35to", {{2}, {{0}, {}}}, {8, 8}, {4, 8}, {0, 1}},
        Case{"A36", {{4}, {{0}}}, {12}, {3}, {0, 1, 2, 3}},
        // One dimension over two device dimensions, the first major: as A-27's device matrix.
        Case{"Lists", {{2, 4}, {{0, 1}, {}}}, {8, 16}, {1, 16}, {0, 2, 4, 6, 1, 3, 5, 7}}),
    [](const auto& instance) { return std::string(instance.param.name); });

TEST(TensorMap, KnownElements) {
  const TensorMap a20{{2, 1, 4}, {{1}, {0}}}, a21{{1, 8, 1}, {{1}, {0}}};
  const TensorMap a22{{1, 1, 8}, {{1}, {0}}}, a28{{2, 1, 4}, {{1}, {0}}, 4, 2};
  const TensorMap a29{{2, 2, 2}, {{1}, {0}}, 4, 2};
  const auto last = [](const Box& box) {
    return 16 * (box.offset[0] + box.extent[0] - 1) + box.offset[1] + box.extent[1] - 1;
  };
  EXPECT_EQ(first_element(slice_of("w", a20, kWeight, 5)), 4);
  EXPECT_EQ(last(slice_of("w", a20, kWeight, 7)), 1535);
  EXPECT_EQ(first_element(slice_of("w", a21, kWeight, 3)), 576);
  EXPECT_EQ(last(slice_of("w", a21, kWeight, 3)), 767);
  EXPECT_EQ(first_element(slice_of("w", a22, kWeight, 3)), 6);
  EXPECT_EQ(last(slice_of("w", a22, kWeight, 3)), 1527);
  EXPECT_EQ(first_element(slice_of("w", a28, kWeight, 5)), 772);
  EXPECT_EQ(slice_of("w", a29, kWeight, 6), (Box{{72, 0}, {24, 8}}));
  EXPECT_EQ(first_element(slice_of("w", a29, kWeight, 6)), 1152);
}

// rank (o,a,b) holds rows 48a + 24o to 48a + 24o + 24, columns 8b to 8b + 8.
TEST(TensorMap, OptimizerShardsInsideSlices) {
  const TensorMap map{{2, 2, 2}, {{1}, {0}}, 4, 2};
  for (std::int64_t rank = 0; rank < 8; ++rank) {
    const std::int64_t o = rank / 4, a = rank / 2 % 2, b = rank % 2;
    EXPECT_EQ(slice_of("w", map, kWeight, rank), (Box{{48 * a + 24 * o, 8 * b}, {24, 8}}));
  }
}

// dev [4,2,2], map [2,1,0], 2 optimizer shards is the same as the extended device matrix
// [2,4,2,2] with the shard's dimension inserted behind that of dimension 0.
TEST(TensorMap, OptimizerShardsAreOneMoreDeviceDimension) {
  const Shape full{16, 4, 4};
  const TensorMap extended{{2, 4, 2, 2}, {{2, 3}, {1}, {0}}};
  const TensorMap all{{2, 4, 2, 2}, {{2}, {1}, {0}}, 16, 2};
  const TensorMap rest{{2, 4, 2, 2}, {{2}, {1}, {0}}, 16, -1};
  for (std::int64_t rank = 0; rank < 32; ++rank) {
    const Box box = slice_of("w", extended, full, rank);
    EXPECT_EQ(box.extent, (Shape{2, 2, 2}));
    EXPECT_EQ(slice_of("w", all, full, rank), box) << rank;
    EXPECT_EQ(slice_of("w", rest, full, rank), box) << rank;
  }
}

TEST(TensorMap, Refusals) {
  const auto failure = [](const TensorMap& map, const Shape& full, std::int64_t rank) {
    try {
      slice_of("m0.h5: w", map, full, rank);
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::data);
      EXPECT_TRUE(std::string(error.what()).starts_with("m0.h5: w: ")) << error.what();
      return std::string(error.what()).substr(10);
    }
    return std::string("nothing was thrown");
  };
  EXPECT_EQ(failure({{2, 0}, {{1}, {}}}, kWeight, 0), "device matrix entry 0");
  EXPECT_EQ(failure({{2, 4}, {{1}, {}}}, kWeight, 8), "rank 8 is outside the device matrix of 8");
  EXPECT_EQ(failure({{2, 4}, {{1}, {}}}, kWeight, -1), "rank -1 is outside the device matrix of 8");
  EXPECT_EQ(failure({{2, 4}, {{1}}}, kWeight, 0), "a tensor map of 1 entries for 2 dimensions");
  EXPECT_EQ(failure({{2, 4}, {{2}, {}}}, kWeight, 0), "tensor map entry 2 of 2 device dimensions");
  EXPECT_EQ(failure({{2, 4}, {{1}, {1}}}, kWeight, 0), "device dimension 1 cuts twice");
  EXPECT_EQ(failure({{5}, {{0}, {}}}, kWeight, 0),
            "dimension 0 of 96 is not divisible into 5 slices");
  EXPECT_EQ(failure({{2, 1, 4}, {{1}, {0}}, 4, 5}, kWeight, 0),
            "dimension 0 of 96 is not divisible into 5 slices");
  EXPECT_EQ(failure({{2, 1, 4}, {{1}, {0}}, 0, 2}, kWeight, 0), "optimizer shards with step 0");
}

}  // namespace
}  // namespace tpinfer::shard
