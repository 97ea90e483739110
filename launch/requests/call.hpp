// A request's instance, checked and ready to run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "launch/requests/callable.hpp"
#include "launch/requests/request.hpp"

namespace tpinfer::launch {

struct Call {
  Callable* callable = nullptr;
  shard::Symbols symbols;
  std::vector<std::vector<std::byte>> inputs;  // dense, of the graph's types
  std::vector<shard::Tensor> outputs;          // types and shapes
};

// Which of the callables the request is about: the first one unless it names a method, a graph (by
// name or index) or a version; `version` is the model's, 0 = it says none. Throws Fault::data
// naming those that exist. Local.
Callable& choose_callable(const Request& request,
                          const std::vector<std::unique_ptr<Callable>>& callables,
                          std::int64_t version);

// Everything that can be wrong with an instance is found here, on rank 0: names, types, shapes,
// files, extents that do not agree, a graph that does not fit together on them, memory that is not
// there. Throws the error that is to be its answer. Local.
Call prepare_call(Callable& callable, const Instance& instance, runtime::Model& model);

// Whether two calls may share a run: rows of one batch, everything else equal.
bool may_share(const Call& a, const Call& b);

}  // namespace tpinfer::launch
