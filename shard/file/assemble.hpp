// From scanned files to the table of one model.
#pragma once

#include "shard/file/model_set.hpp"

namespace tpinfer::shard {

// What files say of themselves counts; a master's mappings count for files that say nothing and for
// missing ones. Throws Fault::data naming the files: a tensor of two shapes or types, different
// graphs, none at all, and elements that no file has although all files are there. With missing
// files that is left to whoever needs the elements (ModelFile).
ModelTable assemble(ModelSet set);

}  // namespace tpinfer::shard
