// Which files a model consists of, by what --model says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shard/file/file_scan.hpp"

namespace tpinfer::shard {

struct ModelSet {
  std::string path;  // as it was asked for
  std::optional<FileScan> master;
  std::vector<FileScan> files;    // shard files by rank, or the one file of a model
  std::vector<FileInfo> missing;  // rank -1 or an empty path where that is not known
};

// Finds and scans the files of a model:
//   m.h5        one file; or a master, with its shard files; or one shard file alone
//   folder      its master, if there is one; else its shard files
//   m{rank}.h5  one shard file per rank
//   m.h5        without such a file: as m{rank}.h5, the rank before the last dot
// Which rank a shard file belongs to is read from the file, never from its name. Throws what
// scan_file throws, Fault::no_input when there is nothing, Fault::data when files do not belong
// together: two of one rank, another checkpoint, another number of ranks.
ModelSet find_model(const std::string& path, const Limits& limits);

}  // namespace tpinfer::shard
