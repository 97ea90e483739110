// A model file with its graphs: what tpinfer and tpmodel start from.
#pragma once

#include <string>
#include <vector>

#include "shard/file/model_file.hpp"
#include "shard/plan/bound_graph.hpp"

namespace tpinfer::runtime {

// Opens the file that `table` describes and parses its graphs. Local.
class Model {
 public:
  explicit Model(shard::ModelTable table);

  shard::ModelFile& file() { return file_; }
  const shard::ModelTable& table() const { return file_.table(); }
  const shard::WeightTable& weights() const { return weights_; }

  // A graph by name or index ("" = the first), lowered to known operators. Throws Fault::data
  // naming the graphs that exist.
  shard::Graph graph(const std::string& selector) const;

  // Weights that no graph uses: a note, not an error.
  std::vector<std::string> unused_weights() const;

 private:
  shard::ModelFile file_;
  shard::WeightTable weights_;
  std::vector<shard::Graph> graphs_;  // as in the file
};

}  // namespace tpinfer::runtime
