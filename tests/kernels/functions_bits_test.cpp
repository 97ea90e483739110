// The bits of the elementwise functions: the same wherever an element stands, with every
// instruction set, and the same as on the day when the hashes below were written.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/base/parallel.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/math/functions.hpp"
#include "kernels/math/instruction_set.hpp"
#include "tests/kernels/function_names.hpp"
#include "tests/kernels/test_floats.hpp"

namespace tpinfer::kernels {
namespace {

constexpr std::array binary_functions = {Binary::add, Binary::sub, Binary::mul, Binary::div,
                                         Binary::pow, Binary::min, Binary::max};

class EveryInstructionSet : public testing::Test {
 protected:
  void TearDown() override {
    use_instruction_set("");
    set_thread_count(1);
  }
};

bool same_bits(const float* a, const float* b, std::size_t count) {
  return std::memcmp(a, b, count * sizeof(float)) == 0;
}

// Half of them anything, half where the functions bend.
std::vector<float> mixed_floats(std::size_t count, std::uint32_t seed) {
  std::vector<float> x = any_floats(count, seed);
  const std::vector<float> near = spread_floats(count, seed, 12);
  for (std::size_t i = 0; i < count; i += 2) x[i] = near[i];
  return x;
}

TEST_F(EveryInstructionSet, UnaryAtEveryLengthAndOffset) {
  const std::vector<float> x = mixed_floats(96, 7);
  for (const NamedFunction& f : unary_functions) {
    std::vector<float> expected(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected[i] = reference_unary(f.function, x[i], f.alpha, f.beta);
    }
    for (const std::string& set : instruction_sets()) {
      use_instruction_set(set);
      for (std::size_t offset = 0; offset < 16; ++offset) {
        for (std::size_t length = 1; length <= 67; ++length) {
          std::vector<float> y(x.size() + 1, -77.0f);
          unary(f.function, &x[offset], &y[offset], static_cast<std::int64_t>(length), f.alpha,
                f.beta);
          ASSERT_TRUE(same_bits(&y[offset], &expected[offset], length))
              << f.name << " " << set << " length " << length << " offset " << offset;
          ASSERT_EQ(y[offset + length], -77.0f) << f.name << " wrote past its end";
          std::vector<float> z = x;  // in place
          unary(f.function, &z[offset], &z[offset], static_cast<std::int64_t>(length), f.alpha,
                f.beta);
          ASSERT_TRUE(same_bits(&z[offset], &expected[offset], length)) << f.name << " in place";
        }
      }
    }
  }
}

TEST_F(EveryInstructionSet, BinaryAtEveryLengthAndStep) {
  const std::vector<float> a = mixed_floats(96, 11);
  std::vector<float> b = mixed_floats(96, 12);
  for (std::size_t i = 0; i < b.size(); i += 3) b[i] = static_cast<float>(i % 7) - 2;  // pow
  for (const std::string& set : instruction_sets()) {
    use_instruction_set(set);
    for (const Binary f : binary_functions) {
      for (std::size_t length = 1; length <= 67; ++length) {
        for (std::size_t steps = 0; steps < 4; ++steps) {
          const std::size_t a_step = steps & 1, b_step = steps >> 1, offset = length % 16;
          std::vector<float> y(length + 1, -77.0f);
          binary(f, &a[offset], static_cast<std::int64_t>(a_step), &b[offset],
                 static_cast<std::int64_t>(b_step), y.data(), static_cast<std::int64_t>(length));
          for (std::size_t i = 0; i < length; ++i) {
            const float expected =
                reference_binary(f, a[offset + i * a_step], b[offset + i * b_step]);
            ASSERT_TRUE(same_bits(&y[i], &expected, 1))
                << "function " << static_cast<int>(f) << " " << set << " length " << length
                << " steps " << steps << " at " << i;
          }
          ASSERT_EQ(y[length], -77.0f);
        }
      }
    }
  }
}

TEST_F(EveryInstructionSet, SweepOverAllExponents) {
  std::vector<float> x;
  for (std::uint64_t pattern = 0; pattern < (std::uint64_t{1} << 32); pattern += 4099) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(pattern)));
  }
  std::vector<float> y(x.size()), expected(x.size());
  for (const NamedFunction& f : unary_functions) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected[i] = reference_unary(f.function, x[i], f.alpha, f.beta);
    }
    for (const std::string& set : instruction_sets()) {
      use_instruction_set(set);
      for (const int threads : {1, 3}) {
        set_thread_count(threads);
        unary(f.function, x.data(), y.data(), static_cast<std::int64_t>(x.size()), f.alpha, f.beta);
        EXPECT_TRUE(same_bits(y.data(), expected.data(), x.size())) << f.name << " " << set;
      }
    }
  }
}

// Changing one of these is a change of the arithmetic version (docs/determinism.md).
constexpr std::array<const char*, 14> unary_hashes = {
    "c3664843091f23e05d1431a2efac083c4b24bed76158892789ebd3429082cf43",
    "a5a6b5fef15fed11f28eacb9c9f5e145dab3f14b88a70f9b02b7334e0242a0c8",
    "54681dc7342e1fdb13d7f894c71dc070afde1e9d98f611d043858738d13e3006",
    "636a4e31ff894191fa682e0caac750407e777017036d71e7caa11963b29131a4",
    "6ff9dc92bf569d141fd287e3c0738be8d54467f27c55054e59ac302875f35293",
    "29dacc206a824a970227b0b7120f4272b52c63ff7d557e9faadb8e66f7764fb2",
    "148400e4cfd6d4586427317531140373b82cf2186fde30b2951ffe9fe993d60b",
    "5ba74b29731a6a6c0c2aae7d50b240b41ec1dead175ab3d9dda19809637fd0fc",
    "34c7993d218119a8e873bf18a1b88efa57acb0a2f2d3f3b4417578fb42ce60bf",
    "c284679572d4ab9f1c66702f392ba6e3561dd9bcd0c2771b304d243f5197bdc1",
    "0f36683b94950eca364e7d5a964a2c1ba2cd6037d3dfd6339bb7260dce6877bf",
    "721dc89eb4a3e20f42ba822d45d3063b58a38394439d5aacee4ce80a908f6f8c",
    "05353207fe1c793fd83d18ac582071bbde553808caa6fa2f7d69f93855f524fa",
    "4c50be383b2cdc5d014bed2532447b6183064066dcf8d31a88ce7690b2da61ed",
};
constexpr std::array<const char*, 7> binary_hashes = {
    "0b6ec15c0132e9fa23822d02f3afedc67a508b7f69dcb595c13782297eaebd1b",
    "676a5bfdfc881f20c74073edbc82cfdfcf4f1b879c99d6c400eb35d5da3dcfe6",
    "3452d686d2eb6ebac725b60d100d9c128243cb9384ac5f7e74872489bc1f1b15",
    "be163fb0d103e8476077a1f2f086237dca41887de15f075c2ff5fd9ab2052bd5",
    "44ac830dd0eed666b927a501866872c05233434ec4c2533b37c4a383978bd400",
    "79b249f74d889c47d2ccf71aece38dbed7e45c17d5bad50ef00af8cfe09a3d91",
    "df3a3c3e22bee71db725226e7545102a7b6719be68de5e79d00f9c86298f8d12",
};

TEST_F(EveryInstructionSet, GoldenHashes) {
  const std::vector<float> a = mixed_floats(20000, 1000);
  std::vector<float> b = mixed_floats(20000, 500000);
  for (std::size_t i = 0; i < b.size(); i += 3) b[i] = static_cast<float>(i % 11) * 0.5f - 2;
  std::vector<float> y(a.size());
  const auto count = static_cast<std::int64_t>(a.size());
  for (const std::string& set : instruction_sets()) {
    use_instruction_set(set);
    for (std::size_t i = 0; i < unary_functions.size(); ++i) {
      const NamedFunction& f = unary_functions[i];
      unary(f.function, a.data(), y.data(), count, f.alpha, f.beta);
      EXPECT_EQ(sha256_hex(y.data(), y.size() * sizeof(float)), unary_hashes[i]) << f.name;
    }
    for (std::size_t i = 0; i < binary_functions.size(); ++i) {
      binary(binary_functions[i], a.data(), 1, b.data(), 1, y.data(), count);
      EXPECT_EQ(sha256_hex(y.data(), y.size() * sizeof(float)), binary_hashes[i]) << i;
    }
  }
}

}  // namespace
}  // namespace tpinfer::kernels
