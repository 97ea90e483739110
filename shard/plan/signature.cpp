#include "shard/plan/signature.hpp"

namespace tpinfer::shard {

std::string Signature::label() const {
  const char* what = kind == Kind::graph    ? "graph "
                     : kind == Kind::method ? "method "
                                            : "pipeline ";
  return what + name;
}

}  // namespace tpinfer::shard
