#include "shard/plan/signature.hpp"

namespace tpinfer::shard {

Signature signature_of(const Graph& graph) { return {graph.name, graph.inputs, graph.outputs}; }

}  // namespace tpinfer::shard
