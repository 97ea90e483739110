// The scalar form: the same expressions, one element at a time, without the instructions that the
// vector loops choose at run time.
#include "kernels/base/error.hpp"
#include "kernels/math/functions-inl.hpp"

namespace tpinfer::kernels {

[[gnu::noinline]] float reference_unary(Unary f, float x, float alpha, float beta) {
  using exact::apply;
  switch (f) {
    case Unary::neg:
      return apply<Unary::neg>(x, alpha, beta);
    case Unary::abs:
      return apply<Unary::abs>(x, alpha, beta);
    case Unary::sqrt:
      return apply<Unary::sqrt>(x, alpha, beta);
    case Unary::exp:
      return apply<Unary::exp>(x, alpha, beta);
    case Unary::log:
      return apply<Unary::log>(x, alpha, beta);
    case Unary::erf:
      return apply<Unary::erf>(x, alpha, beta);
    case Unary::sigmoid:
      return apply<Unary::sigmoid>(x, alpha, beta);
    case Unary::tanh:
      return apply<Unary::tanh>(x, alpha, beta);
    case Unary::relu:
      return apply<Unary::relu>(x, alpha, beta);
    case Unary::leaky_relu:
      return apply<Unary::leaky_relu>(x, alpha, beta);
    case Unary::elu:
      return apply<Unary::elu>(x, alpha, beta);
    case Unary::clip:
      return apply<Unary::clip>(x, alpha, beta);
    case Unary::gelu:
      return apply<Unary::gelu>(x, alpha, beta);
    case Unary::gelu_tanh:
      return apply<Unary::gelu_tanh>(x, alpha, beta);
  }
  fail(Fault::internal, "reference_unary: unknown function");
}

[[gnu::noinline]] float reference_binary(Binary f, float a, float b) {
  using exact::apply;
  switch (f) {
    case Binary::add:
      return apply<Binary::add>(a, b);
    case Binary::sub:
      return apply<Binary::sub>(a, b);
    case Binary::mul:
      return apply<Binary::mul>(a, b);
    case Binary::div:
      return apply<Binary::div>(a, b);
    case Binary::pow:
      return apply<Binary::pow>(a, b);
    case Binary::min:
      return apply<Binary::min>(a, b);
    case Binary::max:
      return apply<Binary::max>(a, b);
  }
  fail(Fault::internal, "reference_binary: unknown function");
}

}  // namespace tpinfer::kernels
