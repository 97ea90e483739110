#include "launch/shared_weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "comm/environment.hpp"
#include "comm/fault.hpp"
#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "launch/instances/variables.hpp"

namespace tpinfer::launch {
namespace {

// The n-th path of the launcher's; "" when it gave none.
std::string path_for(int node_rank) {
  const char* paths = std::getenv(kWeightsVariable);
  std::string rest = paths ? paths : "";
  for (int i = 0; i < node_rank; ++i) {
    const std::size_t colon = rest.find(':');
    rest = colon == rest.npos ? "" : rest.substr(colon + 1);
  }
  return rest.substr(0, rest.find(':'));
}

}  // namespace

SharedWeights::SharedWeights(comm::Session& session, runtime::WeightStore& store,
                             const std::string& identity, bool wanted)
    : session_(session), world_(session.world()), store_(store), wanted_(wanted) {
  if (!wanted_) return;
  owner_ = world_.rank();
  if (store_.bytes_needed() >= kLeastBytes) key_ = store_.content_key(identity);
  const std::string mine = key_.empty() ? "" : comm::host_name() + " " + key_;
  const std::vector<std::string> all = comm::all_gather_texts(world_, mine);
  for (auto at = all.begin(); at != all.end(); ++at) {
    if (at->empty()) continue;
    ++ranks_;
    if (std::find(all.begin(), at, *at) == at) ++copies_;
  }
  if (mine.empty()) return;
  owner_ = static_cast<int>(std::find(all.begin(), all.end(), mine) - all.begin());
  sharers_ = static_cast<int>(std::count(all.begin(), all.end(), mine));
}

void SharedWeights::fill(const std::function<void()>& load) {
  const bool first = !wanted_ || owner_ == world_.rank();
  comm::together(world_, "load weights", [&] {
    if (first) load_first(load);
  });
  if (!wanted_ || copies_ == ranks_) return;
  const std::string mine = memory_.is_open() ? memory_.path() : "";
  const std::vector<std::string> paths = comm::all_gather_texts(world_, mine);
  comm::together(world_, "load weights", [&] {
    if (!first) use(paths[static_cast<std::size_t>(owner_)], load);
  });
}

// The first rank of those that share: from the launcher's memory if it can, else into memory of
// its own for the others.
void SharedWeights::load_first(const std::function<void()>& load) {
  if (key_.empty()) return load();
  const std::string path = path_for(session_.node_rank());
  if (!path.empty() && through_launcher(path, load)) return;
  memory_ = {};
  if (sharers_ == 1) return load();
  memory_ = runtime::SharedMemory::make();
  load_for_all(load);
}

// False when nothing was done.
bool SharedWeights::through_launcher(const std::string& path, const std::function<void()>& load) {
  const std::string trouble = "the weights are not shared with other instances: ";
  try {
    memory_ = runtime::SharedMemory::open(path);
  } catch (const Error& error) {
    note_ = trouble + error.what();
    return false;
  }
  memory_.lock();
  const std::string found = memory_.key();
  if (found.empty()) {
    load_for_all(load);
  } else if (found == key_) {
    memory_.map_to_read(key_, store_.data(), store_.bytes_needed());
    mapped_bytes_ = store_.part_bytes();
  } else {
    note_ = trouble + "those have others, or other parts";
  }
  memory_.unlock();
  return found.empty() || found == key_;
}

void SharedWeights::load_for_all(const std::function<void()>& load) {
  memory_.map_to_fill(store_.data(), store_.bytes_needed());
  load();
  memory_.mark_filled(key_, store_.data(), store_.bytes_needed());
}

void SharedWeights::use(const std::string& path, const std::function<void()>& load) {
  try {
    comm::fault_site("map weights");
    if (path.empty()) fail(Fault::no_input, "nobody shares them");
    runtime::SharedMemory::open(path).map_to_read(key_, store_.data(), store_.bytes_needed());
    mapped_bytes_ = store_.part_bytes();
  } catch (const Error& error) {
    note_ = fmt::format("the weights are not shared with rank {}: {}", owner_, error.what());
    load();
  }
}

}  // namespace tpinfer::launch
