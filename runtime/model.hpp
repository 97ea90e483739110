// A model, in one file or several, with its graphs, methods and pipelines: what tpinfer and tpmodel
// start from.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shard/file/model_file.hpp"
#include "shard/plan/bound_graph.hpp"
#include "shard/plan/pipeline_spec.hpp"

namespace tpinfer::runtime {

// A graph or method as the planner takes it: lowered to known operators.
struct Runnable {
  shard::Graph graph;
  shard::Signature signature;
  int index = -1;  // of the graph that it is or runs; -1: a method of operators alone
};

// Opens the files that the tables describe and parses what is in them. Local. Graphs are numbered
// through all files in order; a weight's name means that of the graph's own file.
class Model {
 public:
  explicit Model(shard::ModelTable table);
  explicit Model(std::vector<shard::ModelTable> tables);  // at least one

  std::size_t file_count() const { return parts_.size(); }
  shard::ModelFile& file(std::size_t part = 0) { return parts_.at(part)->file; }
  std::vector<shard::ModelFile*> files();
  const shard::ModelTable& table(std::size_t part = 0) const {
    return parts_.at(part)->file.table();
  }
  const shard::WeightTable& weights(std::size_t part = 0) const { return parts_.at(part)->weights; }

  // A graph by name or index ("" = the first). Throws Fault::data naming the graphs that exist, and
  // for a name that several files have unless file `part` is one of them.
  Runnable runnable(const std::string& selector, int part = -1) const;
  shard::Graph graph(const std::string& selector) const { return runnable(selector).graph; }
  std::size_t graph_count() const { return graphs_.size(); }

  // A method by name; throws Fault::data naming the methods and pipelines that exist.
  Runnable method(const std::string& name) const;
  // A pipeline by name, or null. A name is either a method's or a pipeline's.
  const shard::PipelineSpec* pipeline(const std::string& name) const;
  std::vector<std::string> method_names() const;  // pipelines excluded
  std::vector<std::string> pipeline_names() const;

  // The largest version that a file has; 0 = none says one.
  std::int64_t version() const;

  // From now on the weight `name` of file `part` is read from file `of`, which has an equal one.
  void share_weight(std::size_t part, const std::string& name, std::size_t of);

  // Of all files: stored bytes of all boxes read so far; files opened so far, and in all.
  std::size_t bytes_read() const;
  std::size_t files_opened() const;
  std::size_t files_in_all() const;

  // Weights that no graph or method uses: a note, not an error.
  std::vector<std::string> unused_weights() const;

 private:
  struct Part {
    explicit Part(shard::ModelTable table) : file(std::move(table)) {}
    shard::ModelFile file;
    shard::WeightTable weights;
    std::vector<std::string> weight_names;
  };
  struct Entry {
    shard::Graph graph;  // as in the file
    int part = 0;
  };
  struct Method {
    shard::Graph graph;  // composed
    int part = 0;
    int index = -1;
  };

  void read_graphs(int part);
  void read_methods(int part);
  void read_pipelines(int part);
  // Index of a graph; of several that fit, the one in file `part`.
  int find_graph(const std::string& selector, int part) const;

  std::vector<std::unique_ptr<Part>> parts_;
  std::vector<Entry> graphs_;
  std::vector<Method> methods_;
  std::vector<shard::PipelineSpec> pipelines_;
};

}  // namespace tpinfer::runtime
