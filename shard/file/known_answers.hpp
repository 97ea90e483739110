// The known answers of a file, gathered dataset by dataset.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shard/file/hdf5.hpp"
#include "shard/file/model_table.hpp"

namespace tpinfer::shard {

// Where a dataset of an example stands: "/examples/<index>/inputs/<name>" or ".../outputs/<name>".
struct ExamplePlace {
  int index = 0;
  bool input = false;
  std::string name;
};

// Throws Fault::data naming the path when it has another form.
ExamplePlace place_in_example(const std::string& path);

class KnownAnswers {
 public:
  // A dataset of an example, with the tolerances that are its attributes.
  void add(Hdf5Id dataset, const ExamplePlace& place, const DatasetInfo& data);

  // By index. Throws Fault::data: an example without outputs, one of a graph or method that is not
  // there, or of both.
  std::vector<ExampleInfo> finish(Hdf5Id root, const std::vector<GraphInfo>& graphs,
                                  const CallInfo& calls);

 private:
  std::map<int, ExampleInfo> examples_;
};

}  // namespace tpinfer::shard
