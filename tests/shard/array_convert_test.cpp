#include "shard/arrays/convert.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/base/error.hpp"

namespace tpinfer::shard {
namespace {

template <typename From, typename To>
std::vector<To> converted(DType from, const std::vector<From>& in, DType to) {
  std::vector<To> out(in.size());
  convert_elements(from, in.data(), to, out.data(), static_cast<std::int64_t>(in.size()));
  return out;
}

TEST(Convert, FloatsToFloat32) {
  EXPECT_EQ((converted<double, float>(DType::f64, {0.1, -1.0, 1e300}, DType::f32)),
            (std::vector<float>{0.1F, -1.0F, std::numeric_limits<float>::infinity()}));
  EXPECT_EQ((converted<std::uint16_t, float>(DType::f16, {0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00},
                                             DType::f32)),
            (std::vector<float>{1, -2, 0x1p-24F, 65504, std::numeric_limits<float>::infinity()}));
  EXPECT_TRUE(
      std::isnan(converted<std::uint16_t, float>(DType::f16, {0x7e00}, DType::f32).front()));
}

TEST(Convert, IntegersWiden) {
  EXPECT_EQ((converted<std::uint8_t, std::int64_t>(DType::u8, {0, 255}, DType::i64)),
            (std::vector<std::int64_t>{0, 255}));
  EXPECT_EQ((converted<std::int16_t, std::int32_t>(DType::i16, {-32768}, DType::i32)),
            (std::vector<std::int32_t>{-32768}));
  EXPECT_EQ((converted<std::uint32_t, std::int64_t>(DType::u32, {4294967295U}, DType::i64)),
            (std::vector<std::int64_t>{4294967295}));
}

TEST(Convert, RefusesWhatIsNotExact) {
  EXPECT_FALSE(convertible(DType::i32, DType::f32));  // a float is never made of an integer
  EXPECT_FALSE(convertible(DType::u8, DType::f32));
  EXPECT_FALSE(convertible(DType::f32, DType::i64));
  EXPECT_FALSE(convertible(DType::i64, DType::i32));
  EXPECT_FALSE(convertible(DType::u32, DType::i32));
  EXPECT_FALSE(convertible(DType::u64, DType::i64));
  EXPECT_FALSE(convertible(DType::boolean, DType::i64));
  EXPECT_FALSE(convertible(DType::f32, DType::f64));
  EXPECT_TRUE(convertible(DType::boolean, DType::boolean));
  EXPECT_TRUE(convertible(DType::u64, DType::u64));
  try {
    converted<std::uint8_t, float>(DType::u8, {1}, DType::f32);
    ADD_FAILURE() << "an integer became a float";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::data);
    EXPECT_STREQ(error.what(),
                 "elements of type uint8 where float32 is wanted; convert the array with numpy's "
                 "astype('float32')");
  }
}

}  // namespace
}  // namespace tpinfer::shard
