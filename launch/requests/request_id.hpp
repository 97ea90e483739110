// The id of a request that is wrong.
#pragma once

#include <string>
#include <string_view>

namespace tpinfer::launch {

// The value of the first key "id" of the line's outermost object, when it is a string or a number,
// as JSON text; else "null". Reads on until the end or to where the line is no JSON.
std::string find_request_id(std::string_view line);

}  // namespace tpinfer::launch
