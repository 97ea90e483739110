// tpmodel: looks at model files, makes them, plans for them. No MPI.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>

#include "kernels/base/error.hpp"
#include "launch/tpmodel_commands.hpp"
#include "shard/file/hdf5.hpp"

namespace {

using namespace tpinfer;
using namespace tpinfer::launch;

struct Arguments {
  std::string source, config, output, model, other;
  bool json = false;
  PlanArguments plan;
};

// How a model is to be cut: the options that plan, shard and reshard have in common.
void declare_cut(CLI::App& command, PlanArguments& plan) {
  command.add_option("-n,--ranks", plan.ranks, "number of ranks")
      ->required()
      ->check(CLI::Range(1, 65536));
  command.add_option("--graph", plan.graph, "name or index");
  command.add_option("--set", plan.symbols, "value of a symbol, batch=64 [1]")->take_all();
  command.add_option("--strategy", plan.cut.strategies, "as tpinfer --strategy");
  command.add_option("--mesh", plan.cut.mesh, "as tpinfer --mesh");
  command.add_option("--rank-weights", plan.cut.rank_weights, "as tpinfer --rank-weights");
  command.add_flag("--uneven", plan.cut.uneven, "as tpinfer --uneven");
  command.add_option("--plan", plan.cut.plan, "cut, fastest or batch [cut]")
      ->check(CLI::IsMember({"cut", "fastest", "batch"}));
  command.add_option("--costs", plan.cut.costs, "as tpinfer --costs");
  command.add_option("--memory", plan.cut.memory, "as tpinfer --memory");
}

void declare_copies(CLI::App& app, Arguments& a, int& status) {
  for (const auto& [name, help] :
       {std::pair{"shard", "make a sharded checkpoint: a file per rank and a master"},
        std::pair{"reshard", "the same from a sharded checkpoint, for other ranks"}}) {
    CLI::App* command = app.add_subcommand(name, help);
    command->add_option("MODEL", a.plan.model, "a model in any form")->required();
    declare_cut(*command, a.plan);
    command->add_option("-o,--output", a.output, "the folder to make")->required();
    command->callback([&] { status = shard_command(a.plan, a.output); });
  }
  CLI::App* merge = app.add_subcommand("merge", "make one file of a sharded checkpoint");
  merge->add_option("MODEL", a.model, "a model in any form")->required();
  merge->add_option("-o,--output", a.output, "the model to write")->required();
  merge->callback([&] { status = merge_command(a.model, a.output); });
}

void declare(CLI::App& app, Arguments& a, int& status) {
  app.require_subcommand(1);
  app.set_version_flag("--version",
                       fmt::format("tpmodel {} ({})", TPINFER_VERSION, shard::hdf5_version()));
  CLI::App* importing =
      app.add_subcommand("import", "make a model.h5 from another format (Keras .h5)");
  importing->add_option("SOURCE", a.source, "recognised by its content")->required();
  importing->add_option("--config", a.config, "the network, when SOURCE holds weights only");
  importing->add_option("-o,--output", a.output, "the model to write")->required();
  importing->callback([&] { status = import_command(a.source, a.config, a.output); });

  CLI::App* inspect = app.add_subcommand("inspect", "graphs, weights and examples as tables");
  inspect->add_option("MODEL", a.model)->required();
  inspect->add_flag("--json", a.json, "the same as JSON");
  inspect->callback([&] { status = inspect_command(a.model, a.json); });

  CLI::App* plan =
      app.add_subcommand("plan", "who holds, computes and sends what, without running");
  plan->add_option("MODEL", a.plan.model)->required();
  declare_cut(*plan, a.plan);
  plan->add_option("--method", a.plan.method, "a method, instead of a graph");
  plan->add_option("--write-strategy", a.plan.write_strategy,
                   "write the plan as a file for --strategy (JSON)");
  plan->add_flag("--json", a.plan.json, "as JSON");
  plan->callback([&] { status = plan_command(a.plan); });

  declare_copies(app, a, status);

  CLI::App* verify = app.add_subcommand("verify", "prove that a model is complete and undamaged");
  verify->add_option("MODEL", a.model)->required();
  verify->callback([&] { status = verify_command(a.model); });

  CLI::App* diff = app.add_subcommand("diff", "what differs between two models: exit 0 or 1");
  diff->add_option("A", a.model)->required();
  diff->add_option("B", a.other)->required();
  diff->callback([&] { status = diff_command(a.model, a.other); });
  app.footer(
      "Exit codes as tpinfer's: 0 done, 1 diff found a difference, 64 usage, 65 bad model, 66 "
      "no such file,\n73/74 output. More: docs/command-line.md");
}  // namespace

int complain(int code, std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  fmt::print(stderr, "tpmodel: {}\n", text);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error of writing
  CLI::App app("Model files for tpinfer", "tpmodel");
  Arguments arguments;
  int status = 0;
  try {
    declare(app, arguments, status);
    app.parse(argc, argv);
    std::fflush(stdout);
    if (std::ferror(stdout)) return complain(74, "stdout cannot be written");
    return status;
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return complain(64, std::string(error.what()) + "; see tpmodel --help");
  } catch (const Error& error) {
    return complain(static_cast<int>(error.fault()), error.what());
  } catch (const std::bad_alloc&) {
    return complain(static_cast<int>(Fault::memory), "out of memory");
  } catch (const std::exception& error) {
    return complain(static_cast<int>(Fault::internal), error.what());
  }
}
