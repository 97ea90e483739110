#include "launch/open_model.hpp"

#include <exception>
#include <memory>

#include "comm/environment.hpp"
#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "shard/file/preflight.hpp"

namespace tpinfer::launch {

EarlyCheck::EarlyCheck(const std::string& path) : path_(path) {
  if (comm::environment_rank() != 0) return;
  try {
    auto table =
        std::make_shared<shard::ModelTable>(shard::preflight(path, shard::helper_beside_program()));
    outcome_ = [table] { return *table; };
  } catch (...) {
    outcome_ = [error = std::current_exception()]() -> shard::ModelTable {
      std::rethrow_exception(error);
    };
  }
}

shard::ModelTable EarlyCheck::table() {
  return outcome_ ? outcome_() : shard::preflight(path_, shard::helper_beside_program());
}

std::unique_ptr<runtime::Model> open_model(comm::Communicator& world, EarlyCheck& check) {
  std::string text;
  comm::together(world, "open model", [&] {
    if (world.rank() == 0) text = shard::to_json(check.table());
  });
  text = comm::broadcast_text(world, text, 0);
  std::unique_ptr<runtime::Model> model;
  comm::together(world, "open model",
                 [&] { model = std::make_unique<runtime::Model>(shard::parse_model_table(text)); });
  return model;
}

}  // namespace tpinfer::launch
