// The unary functions with a name and parameters that make every branch of them count.
#pragma once

#include <array>

#include "kernels/math/functions.hpp"

namespace tpinfer::kernels {

struct NamedFunction {
  const char* name;
  Unary function;
  float alpha;
  float beta;
};

inline constexpr std::array<NamedFunction, 14> unary_functions = {{
    {"neg", Unary::neg, 0, 0},
    {"abs", Unary::abs, 0, 0},
    {"sqrt", Unary::sqrt, 0, 0},
    {"exp", Unary::exp, 0, 0},
    {"log", Unary::log, 0, 0},
    {"erf", Unary::erf, 0, 0},
    {"sigmoid", Unary::sigmoid, 0, 0},
    {"tanh", Unary::tanh, 0, 0},
    {"relu", Unary::relu, 0, 0},
    {"leaky_relu", Unary::leaky_relu, 0.01f, 0},
    {"elu", Unary::elu, 1.3f, 0},
    {"clip", Unary::clip, -0.7f, 1.9f},
    {"gelu", Unary::gelu, 0, 0},
    {"gelu_tanh", Unary::gelu_tanh, 0, 0},
}};

}  // namespace tpinfer::kernels
