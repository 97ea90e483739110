#include "launch/instances/launch_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

constexpr int kDefaultRestarts = 3;
constexpr const char* kPlaceholder = "{instance}";

// "on-failure" or "on-failure:5".
int restarts_of(const std::string& text) {
  const std::string name = "on-failure";
  if (text.empty()) return 0;
  if (text == name) return kDefaultRestarts;
  int times = -1;
  if (text.starts_with(name + ":")) {
    const char* begin = text.data() + name.size() + 1;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), times);
    if (error != std::errc{} || end != text.data() + text.size()) times = -1;
  }
  if (times < 0) {
    fail(Fault::usage,
         fmt::format("--restart {}: write on-failure, or on-failure:N for N times", text));
  }
  return times;
}

void declare(CLI::App& app, LaunchOptions& o, std::string& restart) {
  CLI::Validator count = CLI::Range(1, 1 << 16);
  count.description("");
  app.add_option("-k,--instances", o.instances, "how many [1]")->check(count)->type_name("K");
  app.add_option("-n,--ranks", o.ranks, "ranks of each instance [1]")->check(count)->type_name("N");
  app.add_option("--cores", o.cores, "share out these [all that this process may use]")
      ->type_name("0-3,7");
  app.add_option("--restart", restart, "start an instance that failed again [3 times]")
      ->type_name("on-failure[:N]");
  app.add_option("--log-dir", o.log_dir, "write DIR/instance-0.out and .err, … [our own streams]")
      ->type_name("DIR");
  app.add_option("--mpirun", o.mpirun,
                 "starts an instance; -n N follows [mpirun -q --bind-to none]")
      ->envname("TPINFER_MPIRUN")
      ->type_name("COMMAND");
  app.add_option("--program", o.program, "what an instance runs [tpinfer]")->type_name("FILE");
  app.add_flag("--start-together", o.start_together, "compute when all instances have loaded");
  app.add_flag("-q,--quiet", o.quiet, "nothing of its own on stderr but warnings and errors");
  app.add_option("--requests", o.requests, "share the requests of FILE (- = stdin) out")
      ->type_name("FILE");
  app.add_option("-o,--output", o.output, "write their answers here [stdout]")->type_name("FILE");
  app.add_option("--in-flight", o.in_flight, "unanswered requests per instance [4]")
      ->check(count)
      ->type_name("N");
}

void check(const LaunchOptions& o) {
  if (!o.output.empty() && o.requests.empty()) {
    fail(Fault::usage,
         "--output goes with --requests; an instance's own --output stands behind --");
  }
  for (const std::string& argument : o.arguments) {
    for (const char* ours : {"--requests", "--output", "-o"}) {
      if (o.requests.empty() ||
          (argument != ours && !argument.starts_with(ours + std::string("="))))
        continue;
      fail(Fault::usage, fmt::format("{} stands before -- when instances share requests", ours));
    }
  }
  if (o.mpirun.empty() && o.ranks > 1) {
    fail(Fault::usage,
         fmt::format("--ranks {}: without --mpirun an instance is one rank", o.ranks));
  }
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string program_beside() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "tpinfer").string();
}

}  // namespace

LaunchCommand parse_launch(int argc, const char* const* argv) {
  LaunchCommand result;
  LaunchOptions& o = result.options;
  CLI::App app(
      "tpinfer launch -k K [OPTION...] -- TPINFER ARGUMENT...\n"
      "Instances of tpinfer, each an MPI job of its own on its own cores of this host",
      "tpinfer launch");
  app.get_formatter()->column_width(36);
  std::string restart;
  declare(app, o, restart);
  app.footer("More: docs/command-line.md, Instances");

  int ours = 1;
  while (ours < argc && std::string(argv[ours]) != "--") ++ours;
  try {
    app.parse(ours, argv);
  } catch (const CLI::CallForHelp&) {
    result.text = app.help();
    return result;
  } catch (const CLI::ParseError& error) {
    fail(Fault::usage, one_line(error.what()) + "; see tpinfer launch --help");
  }
  if (ours == argc) {
    fail(Fault::usage, "write -- before the arguments of the instances; see tpinfer launch --help");
  }
  o.arguments.assign(argv + ours + 1, argv + argc);
  o.restarts = restarts_of(restart);
  check(o);
  return result;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  bool inside = false;
  char quote = 0;
  for (const char c : text) {
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      if (!inside) words.emplace_back();
      inside = true;
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && c == ' ') {
      inside = false;
    } else {
      if (!inside) words.emplace_back();
      inside = true;
      words.back() += c;
    }
  }
  if (quote != 0) fail(Fault::usage, fmt::format("--mpirun {}: a quote is not closed", text));
  return words;
}

std::vector<std::string> command_of(const LaunchOptions& options, int instance, std::size_t cores) {
  std::vector<std::string> command = words_of(options.mpirun);
  if (!command.empty()) {
    // Open MPI counts the cores of the host, not those that the instance has.
    const bool ours = options.mpirun == LaunchOptions().mpirun;
    if (ours && static_cast<std::size_t>(options.ranks) > cores) {
      command.emplace_back("--oversubscribe");
    }
    command.insert(command.end(), {"-n", fmt::format("{}", options.ranks)});
  }
  command.push_back(options.program.empty() ? program_beside() : options.program);
  for (std::string argument : options.arguments) {
    for (std::size_t at = argument.find(kPlaceholder); at != argument.npos;
         at = argument.find(kPlaceholder)) {
      argument.replace(at, std::string(kPlaceholder).size(), fmt::format("{}", instance));
    }
    command.push_back(std::move(argument));
  }
  // Also instead of what a variable or a file of settings names: the answers come to us.
  if (!options.requests.empty()) {
    command.insert(command.end(), {"--requests", "-", "--output", ""});
  }
  return command;
}

}  // namespace tpinfer::launch
