// One store of weights for several engines.
#include "runtime/weight_store.hpp"

#include <gtest/gtest.h>

#include "kernels/base/error.hpp"

namespace tpinfer::runtime {
namespace {

shard::WeightView whole(const std::string& name, bool transposed = false) {
  return {name, whole_box({96, 16}), transposed};
}

TEST(WeightStore, APartIsHeldOnce) {
  WeightStore store;
  const Box columns{{0, 2}, {96, 2}};
  const std::size_t at = store.add("w", whole("w"), columns, DType::f32);
  EXPECT_EQ(store.add("w", whole("w"), columns, DType::f32), at);
  // The same elements through a view.
  const shard::WeightView view{"w", {{0, 2}, {96, 8}}};
  EXPECT_EQ(store.add("w[:,2:10]", view, Box{{0, 0}, {96, 2}}, DType::f32), at);
  EXPECT_EQ(store.part_bytes(), 96u * 2 * 4);
  int parts = 0;
  store.allocate();
  store.for_each([&](const std::string& name, const View& part) {
    EXPECT_EQ(name, "w");
    EXPECT_EQ(part.shape, (Shape{96, 2}));
    ++parts;
  });
  EXPECT_EQ(parts, 1);
}

TEST(WeightStore, OtherLayoutsDatasetsAndFilesAreOtherParts) {
  WeightStore store;
  const Box columns{{0, 0}, {96, 2}};
  std::vector<std::size_t> places{
      store.add("w", whole("w"), columns, DType::f32),
      store.add("w", whole("w"), Box{{0, 2}, {96, 2}}, DType::f32),
      store.add("w", whole("w"), Box{{0, 0}, {12, 16}}, DType::f32),
      store.add("v", whole("v"), columns, DType::f32),
      store.add("w.T", whole("w", true), Box{{0, 0}, {2, 96}}, DType::f32)};
  shard::WeightView other = whole("w");
  other.file = 1;
  places.push_back(store.add("w", other, columns, DType::f32));
  for (std::size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(places[i], i * 96 * 2 * 4) << i;
  }
  EXPECT_EQ(store.bytes_needed(), 6u * 96 * 2 * 4);
}

TEST(WeightStore, NothingNewAfterMemoryWasTaken) {
  WeightStore store;
  const Box columns{{0, 0}, {96, 2}};
  store.add("w", whole("w"), columns, DType::f32);
  store.allocate();
  const std::byte* data = store.data();
  store.allocate();
  EXPECT_EQ(store.data(), data);
  EXPECT_EQ(store.add("w", whole("w"), columns, DType::f32), 0u);
  EXPECT_EQ(store.add("w", whole("w"), Box{{0, 0}, {0, 16}}, DType::f32), 0u);  // holds nothing
  EXPECT_THROW(store.add("v", whole("v"), columns, DType::f32), Error);
}

}  // namespace
}  // namespace tpinfer::runtime
