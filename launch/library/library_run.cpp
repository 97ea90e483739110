#include "launch/library/library_run.hpp"

#include <fmt/format.h>

#include <cstring>

#include "comm/texts.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "launch/inputs.hpp"
#include "launch/library/given_inputs.hpp"
#include "launch/library/settings.hpp"
#include "launch/run.hpp"
#include "launch/threads.hpp"
#include "shard/file/preflight.hpp"
#include "shard/plan/batch.hpp"

namespace tpinfer::launch {
namespace {

std::string symbols_text(const shard::Symbols& symbols) {
  std::string text;
  for (const auto& [name, value] : symbols)
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
  return text;
}

void check_library(const std::string& given) {
  const std::string own = comm::mpi_version();
  if (!given.empty() && !own.starts_with(given)) {
    fail(Fault::config,
         fmt::format("the program was built with {}, libtpinfer with {}; use one MPI "
                     "for both",
                     given, own));
  }
}

}  // namespace

LibraryRun::LibraryRun(const std::string& path, const Communicator& communicator,
                       const Settings& settings) {
  check_library(communicator.library);
  session_ = std::make_unique<comm::Session>(communicator.fortran_handle);
  comm::Communicator& world = session_->world();
  comm::together(world, "read options",
                 [&] { options_ = library_options(path, settings.options); });
  hashes_agree(world, "what the program asks for (model, options, extents)",
               fmt::format("{} {} {}", path, fmt::join(settings.options, " "),
                           symbols_text(settings.extents)));
  if (options_.timeout_seconds > 0) {
    watchdog_ = std::make_unique<comm::Watchdog>(options_.timeout_seconds);
    watchdog_->connect(*session_);
    absence_ = std::make_unique<Absence>();
    absence_->inside = true;
  }
  if (world.rank() == 0 && settings.log) story_ = Story(settings.log);
  const ThreadPlan threads = plan_threads(*session_, options_.threads);
  threads_ = threads.threads;
  set_thread_count(threads_);
  read_table(path);
  load(settings.extents);
  tell_plan({options_, *session_, *model_, story_, threads}, {runner_.get()});
}

LibraryRun::~LibraryRun() {
  runner_.reset();
  model_.reset();
  session_.reset();
}

void LibraryRun::set_inside(bool inside) {
  if (absence_) absence_->inside = inside;
}

void LibraryRun::read_table(const std::string& path) {
  comm::Communicator& world = session_->world();
  comm::together(world, "open model", [&] {
    if (world.rank() != 0) return;
    table_ = shard::to_json(shard::preflight(path, shard::helper_beside_program()));
  });
  table_ = comm::broadcast_text(world, table_, 0);
}

shard::Symbols LibraryRun::example_extents(const shard::Signature& signature,
                                           const runtime::Model& model) const {
  shard::Symbols known;
  const std::vector<const shard::ExampleInfo*> examples = examples_of(model, signature);
  const shard::ExampleInfo* example = examples.empty() ? nullptr : examples.front();
  for (std::size_t i = 0; example && i < example->inputs.size(); ++i) {
    const shard::TensorInfo& data = example->inputs[i].data;
    for (const shard::ValueSpec& spec : signature.inputs) {
      if (spec.name != data.name || spec.shape.size() != data.shape.size()) continue;
      for (std::size_t d = 0; d < data.shape.size(); ++d) {
        if (!spec.shape[d].symbol.empty()) known[spec.shape[d].symbol] = data.shape[d];
      }
    }
  }
  return known;
}

void LibraryRun::load(const std::map<std::string, std::int64_t>& wanted) {
  comm::Communicator& world = session_->world();
  hashes_agree(world, "the set of extents", symbols_text(wanted));
  std::unique_ptr<runtime::Model> model;
  comm::together(world, "open model", [&] {
    model = std::make_unique<runtime::Model>(shard::parse_model_table(table_));
  });
  auto runner = std::make_unique<Runner>(options_, *session_, *model, story_);
  const shard::Signature& signature = runner->signature();
  shard::Symbols extents;
  comm::together(world, "plan", [&] {
    extents = complete_extents(signature, wanted, example_extents(signature, *model));
  });
  runner->plan(extents, 0);
  runner->load();

  std::vector<ValueInfo> outputs;
  for (std::size_t i = 0; i < runner->output_count(); ++i) {
    const shard::Tensor tensor = runner->output_tensor(i);
    outputs.push_back({signature.outputs[i], std::string(name_of(tensor.dtype)), tensor.shape,
                       std::vector<std::string>(tensor.shape.size())});
  }
  inputs_ = describe_inputs(signature);
  outputs_ = std::move(outputs);
  extents_ = std::move(extents);
  runner_ = std::move(runner);
  model_ = std::move(model);
}

shard::Symbols LibraryRun::agree_on_extents(const std::vector<Input>& given, InputsOf whose,
                                            std::vector<Input>& matched) {
  comm::Communicator& world = session_->world();
  const bool everywhere = whose == InputsOf::every_rank;
  hashes_agree(world, "whose inputs count", everywhere ? "every rank's" : "rank 0's");
  shard::Symbols symbols;
  comm::together(world, "read input", [&] {
    if (!everywhere && world.rank() != 0) return;
    matched = match_inputs(runner_->signature(), given);
    symbols = extents_of(runner_->signature(), matched, extents_);
  });
  if (everywhere) {
    hashes_agree(world, "the shape of the inputs", symbols_text(symbols));
    return symbols;
  }
  // Names are known everywhere, in the order of the map: only values travel.
  std::vector<std::int64_t> values;
  for (const auto& [name, most] : extents_) {
    const auto at = symbols.find(name);
    values.push_back(at == symbols.end() ? most : at->second);
  }
  world.broadcast(values.data(), values.size() * sizeof values[0], 0);
  std::size_t i = 0;
  for (const auto& [name, most] : extents_) symbols[name] = values[i++];
  return symbols;
}

std::vector<Output> LibraryRun::run(const std::vector<Input>& given, InputsOf whose) {
  std::vector<Input> matched;
  const shard::Symbols symbols = agree_on_extents(given, whose, matched);
  Feed feed;
  feed.everywhere = whose == InputsOf::every_rank;
  feed.fill = [&](std::size_t i, const View& view) {
    if (view.bytes() > 0) std::memcpy(view.data, matched[i].data, view.bytes());
  };
  runner_->run(symbols, feed);
  std::vector<Output> outputs;
  comm::together(session_->world(), "copy output", [&] { outputs = copy_outputs(); });
  return outputs;
}

std::vector<Output> LibraryRun::copy_outputs() {
  std::vector<Output> outputs;
  for (std::size_t i = 0; i < runner_->output_count(); ++i) {
    const View view = runner_->output(i);
    Output output{
        runner_->signature().outputs[i], std::string(name_of(view.dtype)), view.shape, {}};
    const auto* bytes = static_cast<const std::byte*>(view.data);
    output.data.assign(bytes, bytes + view.bytes());
    outputs.push_back(std::move(output));
  }
  return outputs;
}

}  // namespace tpinfer::launch
