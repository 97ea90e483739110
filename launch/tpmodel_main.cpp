// tpmodel: looks at model files, makes them, plans for them. No MPI.
#include <fmt/format.h>

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
  PlanRequest plan;
};

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
  plan->add_option("-n,--ranks", a.plan.ranks, "number of ranks")
      ->required()
      ->check(CLI::Range(1, 65536));
  plan->add_option("--graph", a.plan.graph, "name or index [the first]");
  plan->add_option("--set", a.plan.symbols, "value of a symbol, batch=64 [1]")->take_all();
  plan->add_option("--strategy", a.plan.strategies, "as tpinfer --strategy");
  plan->add_option("--mesh", a.plan.mesh, "as tpinfer --mesh");
  plan->add_option("--rank-weights", a.plan.rank_weights, "as tpinfer --rank-weights");
  plan->add_flag("--uneven", a.plan.uneven, "as tpinfer --uneven");
  plan->add_option("--plan", a.plan.plan, "cut or fastest [cut]")
      ->check(CLI::IsMember({"cut", "fastest"}));
  plan->add_option("--costs", a.plan.costs, "as tpinfer --costs");
  plan->add_option("--memory", a.plan.memory, "as tpinfer --memory");
  plan->add_flag("--json", a.plan.json, "as JSON");
  plan->callback([&] { status = plan_command(a.plan); });

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
