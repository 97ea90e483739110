// kernels/base: the one division, boxes, copies between pieces, extents, hashes and texts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/box.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/base/shape.hpp"
#include "kernels/base/text.hpp"
#include "kernels/base/view.hpp"

namespace tpinfer {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

template <typename Body>
std::string data_fault(Body body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::data) << error.what();
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Split, TheHeadersExamples) {
  EXPECT_EQ(split(10, 3, 0), (Range{0, 3}));
  EXPECT_EQ(split(10, 3, 1), (Range{3, 6}));
  EXPECT_EQ(split(10, 3, 2), (Range{6, 10}));
  EXPECT_EQ(split(10, 3, 0, 4), (Range{0, 4}));
  EXPECT_EQ(split(10, 3, 1, 4), (Range{4, 8}));
  EXPECT_EQ(split(10, 3, 2, 4), (Range{8, 10}));
}

TEST(Split, PartsFollowEachOtherAndDifferByOneUnit) {
  for (std::int64_t extent = 0; extent <= 40; ++extent) {
    for (int parts = 1; parts <= 13; ++parts) {
      for (std::int64_t grain : {1, 2, 3, 7}) {
        std::int64_t next = 0, least = kHuge, most = 0;
        for (int i = 0; i < parts; ++i) {
          const Range part = split(extent, parts, i, grain);
          EXPECT_EQ(part.begin, next);
          EXPECT_TRUE(part.end == extent || part.end % grain == 0);
          const std::int64_t units = (part.size() + grain - 1) / grain;
          least = std::min(least, units);
          most = std::max(most, units);
          next = part.end;
        }
        EXPECT_EQ(next, extent);
        EXPECT_LE(most - least, 1) << extent << " in " << parts << " by " << grain;
      }
    }
  }
}

TEST(Split, AbsurdExtentsDoNotOverflow) {
  EXPECT_EQ(split(kHuge, 1000, 0).begin, 0);
  EXPECT_EQ(split(kHuge, 1000, 999).end, kHuge);
  EXPECT_EQ(split(kHuge, 1000, 500).begin, split(kHuge, 1000, 499).end);
}

TEST(Box, IntersectionAndText) {
  const Box a{{0, 4}, {6, 4}}, b{{4, 0}, {4, 6}};
  EXPECT_EQ(intersect(a, b), (Box{{4, 4}, {2, 2}}));
  EXPECT_EQ(to_text(intersect(a, b)), "[4:6,4:6]");
  EXPECT_TRUE(intersect(a, Box{{6, 0}, {1, 9}}).empty());
  EXPECT_FALSE(whole_box({}).empty());  // a scalar has one element
  EXPECT_EQ(to_text(whole_box({})), "[]");
}

// Copies between random boxes of a (3,5,4) tensor, compared element by element.
TEST(CopyCommon, CopiesTheCommonElementsAndNothingElse) {
  const Shape global{3, 5, 4};
  std::vector<Box> boxes{whole_box(global)};
  for (std::int64_t i = 0; i < 12; ++i) {
    boxes.push_back({{i % 3, i % 4, i % 2}, {1 + i % (3 - i % 3), 1 + (i / 2) % 2, 1 + i % 3}});
  }
  boxes.push_back({{1, 2, 0}, {1, 0, 4}});
  auto value_at = [&](const Box& box, std::int64_t index) {
    Shape at(3);
    for (std::size_t d = 3; d-- > 0;) {
      at[d] = box.offset[d] + index % box.extent[d];
      index /= box.extent[d];
    }
    return at;
  };
  for (const Box& from : boxes) {
    for (const Box& to : boxes) {
      std::vector<float> source(static_cast<std::size_t>(element_count(from.extent)));
      std::vector<float> target(static_cast<std::size_t>(element_count(to.extent)), -1);
      auto number = [](const Shape& at) {
        return static_cast<float>((at[0] * 5 + at[1]) * 4 + at[2]);
      };
      for (std::size_t i = 0; i < source.size(); ++i) {
        source[i] = number(value_at(from, static_cast<std::int64_t>(i)));
      }
      copy_common({{source.data(), DType::f32, from.extent}, from, global},
                  {{target.data(), DType::f32, to.extent}, to, global});
      for (std::size_t i = 0; i < target.size(); ++i) {
        const Shape at = value_at(to, static_cast<std::int64_t>(i));
        const bool common = !intersect(from, Box{at, {1, 1, 1}}).empty();
        EXPECT_EQ(target[i], common ? number(at) : -1) << to_text(from) << to_text(to);
      }
    }
  }
}

TEST(CopyCommon, Scalars) {
  std::int64_t from = 7, to = 0;
  copy_common({{&from, DType::i64, {}}, {}, {}}, {{&to, DType::i64, {}}, {}, {}});
  EXPECT_EQ(to, 7);
}

TEST(Shapes, CountsStridesAndTexts) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({3, 0, 5}), 0);
  EXPECT_EQ(byte_count({128, 16}, DType::f32), 8192u);
  EXPECT_EQ(strides_of({2, 3, 4}), (Shape{12, 4, 1}));
  EXPECT_EQ(to_text(Shape{128, 16}), "(128,16)");
  EXPECT_EQ(to_text(Shape{5}), "(5,)");
  EXPECT_EQ(to_text(Shape{}), "()");
}

TEST(Shapes, RefusesWhatDoesNotFit) {
  EXPECT_NE(data_fault([] {
              element_count({std::int64_t{1} << 32, std::int64_t{1} << 31});
            }),
            "nothing was thrown");
  EXPECT_NE(data_fault([] { element_count({2, -1}); }), "nothing was thrown");
  EXPECT_NE(data_fault([] { byte_count({std::int64_t{1} << 61}, DType::f32); }),
            "nothing was thrown");
  EXPECT_EQ(element_count({std::int64_t{1} << 31, std::int64_t{1} << 31}), std::int64_t{1} << 62);
}

TEST(Shapes, BroadcastAsNumPy) {
  EXPECT_EQ(broadcast({3, 1}, {4}), (Shape{3, 4}));
  EXPECT_EQ(broadcast({}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast({1}, {0}), (Shape{0}));
  const std::string text = data_fault([] { broadcast({2, 3}, {4}); });
  EXPECT_NE(text.find("(2,3)"), text.npos) << text;
  EXPECT_NE(text.find("(4,)"), text.npos) << text;
}

// FIPS 180-4's own example, the empty message, and pieces against the whole.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sha256_hex("abc", 3),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string text(5'000'000, 'a');
  Sha256 pieces;
  pieces.update(text.data(), 1);
  pieces.update(text.data(), 0);
  pieces.update(text.data(), text.size() - 1);
  EXPECT_EQ(pieces.hex(), sha256_hex(text.data(), text.size()));
}

// As numpy 1.24 prints these float32 scalars: str(np.float32(x)).
TEST(Text, NumbersAsNumPyPrintsThem) {
  const std::pair<float, const char*> cases[] = {
      {-48.0F, "-48.0"},
      {0.0F, "0.0"},
      {-0.0F, "-0.0"},
      {1456.0F, "1456.0"},
      {1e-5F, "1e-05"},
      {1e-4F, "1e-04"},
      {0.00012F, "0.00012"},
      {0.1F, "0.1"},
      {16777216.0F, "16777216.0"},
      {1.5F, "1.5"},
      {1e10F, "10000000000.0"},
      {1.2e16F, "1.2e+16"},
      {1e16F, "1e+16"},
      {3.4028235e38F, "3.4028235e+38"},
      {1e-45F, "1e-45"},
      {0.33333334F, "0.33333334"},
      {-72960.0F, "-72960.0"},
      {123456.79F, "123456.79"},
  };
  for (const auto& [value, text] : cases) EXPECT_EQ(number_text(value), text);
  EXPECT_EQ(number_text(std::nanf("")), "nan");
  EXPECT_EQ(number_text(HUGE_VALF), "inf");
  EXPECT_EQ(number_text(-HUGE_VALF), "-inf");
}

TEST(Text, ElementsAndBytes) {
  std::int64_t integers[] = {-3, 5};
  std::uint8_t booleans[] = {0, 1};
  EXPECT_EQ(element_text({integers, DType::i64, {2}}, 0), "-3");
  EXPECT_EQ(element_text({booleans, DType::boolean, {2}}, 0), "False");
  EXPECT_EQ(element_text({booleans, DType::boolean, {2}}, 1), "True");
  EXPECT_EQ(bytes_text(512), "512 B");
  EXPECT_EQ(bytes_text(1229), "1.2 KiB");
  EXPECT_EQ(bytes_text(3'565'158), "3.4 MiB");
}

}  // namespace
}  // namespace tpinfer
