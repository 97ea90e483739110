// Texts between ranks: for agreement and reports, not for the hot loop.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"

namespace tpinfer::comm {

// Every rank's text, in rank order, on every rank. Collective.
std::vector<std::string> all_gather_texts(Communicator& group, std::string_view mine);

// The root's text on every rank; what the others pass is ignored. Collective.
std::string broadcast_text(Communicator& group, std::string_view text, int root);

}  // namespace tpinfer::comm
