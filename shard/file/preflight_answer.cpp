// What crosses the pipe between helper and program: one JSON object.
#include <new>
#include <nlohmann/json.hpp>

#include "kernels/base/error.hpp"
#include "shard/file/preflight.hpp"
#include "shard/file/scan.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

std::string fault_answer(Fault fault, const std::string& text) {
  const nlohmann::json json{{"fault", static_cast<int>(fault)}, {"text", text}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string preflight_answer(const std::string& path, bool for_planning) {
  try {
    Limits limits;
    limits.allow_unallocated = for_planning;
    return to_json(scan_model(path, limits));
  } catch (const Error& error) {
    return fault_answer(error.fault(), error.what());
  } catch (const std::bad_alloc&) {
    return fault_answer(Fault::data,
                        printable(path) + ": checking it needs more than 1 GiB of memory");
  } catch (const std::exception& error) {
    return fault_answer(Fault::internal, printable(path) + ": " + error.what());
  }
}

}  // namespace tpinfer::shard
