// Values of the elementwise functions: accuracy against double, and the ends of their ranges.
#include "kernels/math/functions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tests/kernels/function_names.hpp"

namespace tpinfer::kernels {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float tiny = std::numeric_limits<float>::denorm_min();
constexpr float huge = std::numeric_limits<float>::max();

std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }

float at(Unary f, float x, float alpha = 0, float beta = 0) {
  float y = 0;
  unary(f, &x, &y, 1, alpha, beta);
  EXPECT_EQ(bits(y), bits(reference_unary(f, x, alpha, beta)));
  return y;
}

float at(Binary f, float a, float b) {
  float y = 0;
  binary(f, &a, 1, &b, 1, &y, 1);
  EXPECT_EQ(bits(y), bits(reference_binary(f, a, b)));
  return y;
}

// One unit in the last place of the float nearest to `x`.
double unit(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

double in_double(Unary f, double x, double alpha, double beta) {
  switch (f) {
    case Unary::neg:
      return -x;
    case Unary::abs:
      return std::abs(x);
    case Unary::sqrt:
      return std::sqrt(x);
    case Unary::exp:
      return std::exp(x);
    case Unary::log:
      return std::log(x);
    case Unary::erf:
      return std::erf(x);
    case Unary::sigmoid:
      return x > 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
    case Unary::tanh:
      return std::tanh(x);
    case Unary::relu:
      return x > 0 ? x : 0;
    case Unary::leaky_relu:
      return x < 0 ? alpha * x : x;
    case Unary::elu:
      return x < 0 ? alpha * std::expm1(x) : x;
    case Unary::clip:
      return std::min(std::max(x, alpha), beta);
    case Unary::gelu:
      return 0.5 * x * std::erfc(-x * std::sqrt(0.5));
    case Unary::gelu_tanh:
      return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  }
  return nan;
}

TEST(Functions, UnaryWithinHalfAUnitOfDouble) {
  for (const NamedFunction& f : unary_functions) {
    double worst = 0;
    float where = 0;
    for (std::uint64_t pattern = 0; pattern < (std::uint64_t{1} << 32); pattern += 40009) {
      const float x = std::bit_cast<float>(static_cast<std::uint32_t>(pattern));
      if (!std::isfinite(x)) continue;
      const double exact = in_double(f.function, x, f.alpha, f.beta);
      const float y = reference_unary(f.function, x, f.alpha, f.beta);
      if (std::isnan(exact) || std::isinf(static_cast<float>(exact))) {
        EXPECT_EQ(std::isnan(exact), std::isnan(y)) << f.name << " of " << x;
        if (!std::isnan(exact)) {
          EXPECT_EQ(y, static_cast<float>(exact)) << f.name << " of " << x;
        }
        continue;
      }
      const double error = std::abs(y - exact) / unit(exact);
      if (!(error <= worst)) {
        worst = error;
        where = x;
      }
    }
    EXPECT_LE(worst, 0.501) << f.name << " at " << where;
  }
}

TEST(Functions, EndsOfTheRange) {
  EXPECT_EQ(at(Unary::exp, 0), 1);
  EXPECT_EQ(at(Unary::exp, inf), inf);
  EXPECT_EQ(at(Unary::exp, 88.8f), inf);
  EXPECT_EQ(bits(at(Unary::exp, -inf)), bits(0.0f));
  EXPECT_EQ(at(Unary::exp, -103.2f), tiny);  // denormals are kept
  EXPECT_EQ(at(Unary::log, 1), 0);
  EXPECT_EQ(at(Unary::log, 0), -inf);
  EXPECT_EQ(at(Unary::log, -0.0f), -inf);
  EXPECT_EQ(at(Unary::log, inf), inf);
  EXPECT_TRUE(std::isnan(at(Unary::log, -tiny)));
  EXPECT_TRUE(std::isnan(at(Unary::sqrt, -1)));
  EXPECT_EQ(bits(at(Unary::sqrt, -0.0f)), bits(-0.0f));
  for (const Unary odd : {Unary::erf, Unary::tanh}) {
    EXPECT_EQ(at(odd, inf), 1);
    EXPECT_EQ(at(odd, -huge), -1);
    EXPECT_EQ(bits(at(odd, -0.0f)), bits(-0.0f));
  }
  EXPECT_EQ(at(Unary::tanh, -tiny), -tiny);
  EXPECT_EQ(at(Unary::sigmoid, 0), 0.5f);
  EXPECT_EQ(at(Unary::sigmoid, inf), 1);
  EXPECT_EQ(at(Unary::sigmoid, -inf), 0);
  EXPECT_EQ(at(Unary::sigmoid, -103.2f), tiny);
  EXPECT_EQ(bits(at(Unary::relu, -0.0f)), bits(0.0f));
  EXPECT_EQ(bits(at(Unary::relu, -inf)), bits(0.0f));
  EXPECT_EQ(at(Unary::elu, -inf, 2), -2);
  EXPECT_EQ(at(Unary::elu, 3, 2), 3);
  EXPECT_EQ(at(Unary::leaky_relu, -2, 0.25f), -0.5f);
  EXPECT_EQ(at(Unary::clip, 5, -1, 2), 2);
  EXPECT_EQ(at(Unary::clip, -inf, -1, 2), -1);
  EXPECT_EQ(at(Unary::clip, 0, 3, 2), 2);
  EXPECT_EQ(at(Unary::clip, 7, -inf, inf), 7);
  EXPECT_EQ(at(Unary::clip, 7, nan, nan), 7);
  for (const Unary gelu : {Unary::gelu, Unary::gelu_tanh}) {
    EXPECT_EQ(at(gelu, inf), inf);
    EXPECT_EQ(at(gelu, huge), huge);
    EXPECT_EQ(bits(at(gelu, -inf)), bits(-0.0f));
    EXPECT_EQ(bits(at(gelu, -0.0f)), bits(-0.0f));
  }
}

TEST(Functions, OneNaN) {
  const float loud = std::bit_cast<float>(0xffa12345u);  // negative, with a payload
  for (const NamedFunction& f : unary_functions) {
    EXPECT_EQ(bits(at(f.function, loud, f.alpha, f.beta)), 0x7fc00000u) << f.name;
  }
  for (const Binary f : {Binary::add, Binary::sub, Binary::mul, Binary::div, Binary::pow,
                         Binary::min, Binary::max}) {
    EXPECT_EQ(bits(at(f, loud, 2)), 0x7fc00000u);
    EXPECT_EQ(bits(at(f, 2, loud)), 0x7fc00000u);
    EXPECT_EQ(bits(at(f, nan, loud)), 0x7fc00000u);
  }
  EXPECT_EQ(bits(at(Binary::sub, inf, inf)), 0x7fc00000u);
  EXPECT_EQ(bits(at(Binary::div, 0, 0)), 0x7fc00000u);
}

TEST(Functions, MinMaxOfZeros) {
  EXPECT_EQ(bits(at(Binary::max, -0.0f, 0.0f)), bits(0.0f));
  EXPECT_EQ(bits(at(Binary::max, 0.0f, -0.0f)), bits(0.0f));
  EXPECT_EQ(bits(at(Binary::min, -0.0f, 0.0f)), bits(-0.0f));
  EXPECT_EQ(bits(at(Binary::min, 0.0f, -0.0f)), bits(-0.0f));
  EXPECT_EQ(at(Binary::max, -3, -2), -2);
  EXPECT_EQ(at(Binary::min, -3, inf), -3);
  EXPECT_EQ(at(Binary::max, -inf, -huge), -huge);
}

TEST(Functions, PowAtSpecialValues) {
  const float values[] = {0,      1,    2,    3,   0.5f, 1.5f,        0.25f,       4,
                          1e-40f, tiny, huge, inf, nan,  16777216.0f, 33554434.0f, 8388607.5f};
  for (float a : values) {
    for (float b : values) {
      for (const auto& [x, y] : {std::pair(a, b), {-a, b}, {a, -b}, {-a, -b}}) {
        const double exact = std::pow(static_cast<double>(x), static_cast<double>(y));
        if (std::isnan(exact)) {
          EXPECT_TRUE(std::isnan(at(Binary::pow, x, y))) << x << "^" << y;
        } else if (exact == 0 || exact == 1 || std::isinf(static_cast<float>(exact))) {
          EXPECT_EQ(bits(at(Binary::pow, x, y)), bits(static_cast<float>(exact))) << x << "^" << y;
        } else {
          EXPECT_LE(std::abs(at(Binary::pow, x, y) - exact), 0.51 * unit(exact)) << x << "^" << y;
        }
      }
    }
  }
}

// Where a float or a tie between two floats is the true result, no approximation shows.
TEST(Functions, PowOfIntegersIsExact) {
  int ties = 0;
  for (int x = -3000; x <= 3000; ++x) {
    double exact = 1;
    for (int y = 0; y <= 12 && std::abs(exact) < 0x1p25; ++y, exact *= x) {
      EXPECT_EQ(at(Binary::pow, static_cast<float>(x), static_cast<float>(y)),
                static_cast<float>(exact))
          << x << "^" << y;
      if (static_cast<float>(exact) != exact) ++ties;
    }
  }
  EXPECT_GT(ties, 10);  // the cases that make this test sharp do occur
}

TEST(Functions, PowTwoIsTheProductAndPowHalfTheRoot) {
  for (std::uint64_t pattern = 0; pattern < 0x7f800000; pattern += 100003) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(pattern));
    EXPECT_EQ(bits(at(Binary::pow, x, 2)), bits(x * x));
    EXPECT_EQ(bits(at(Binary::pow, -x, 2)), bits(x * x));
    EXPECT_EQ(bits(at(Binary::pow, x, 0.5f)), bits(std::sqrt(x)));
    EXPECT_EQ(bits(at(Binary::pow, x, 1)), bits(x));
  }
}

}  // namespace
}  // namespace tpinfer::kernels
