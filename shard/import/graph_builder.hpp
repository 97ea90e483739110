// Builds a graph and its weights, node by node.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "shard/file/model_writer.hpp"
#include "shard/plan/graph.hpp"

namespace tpinfer::shard {

class GraphBuilder {
 public:
  // Names of tensors begin with `scope` + "/" from now on.
  void set_scope(const std::string& scope) { scope_ = scope; }

  void add_input(ValueSpec input) { graph_.inputs.push_back(std::move(input)); }

  // Appends a node and returns the name of its output: "<scope>/<op>", with a number when taken.
  std::string add(const std::string& op, std::vector<std::string> inputs,
                  Attributes attributes = {});

  // Gives the output of the last node another name, unless `tensor` is not that output: then it
  // returns `tensor` as it is.
  std::string rename_last(const std::string& tensor, const std::string& name);

  // Adds a weight (once per name) and returns its name.
  std::string add_weight(TensorSource weight);
  // The scalar weight "<scope>/<name>".
  std::string add_scalar(const std::string& name, float value);

  // The finished graph with its weights, checked. Throws Fault::data for names that clash.
  ModelContents finish(const std::string& name, std::vector<std::string> outputs);

 private:
  std::string scope_;
  Graph graph_;
  std::vector<TensorSource> weights_;
  std::set<std::string> names_;  // of tensors and weights
};

}  // namespace tpinfer::shard
