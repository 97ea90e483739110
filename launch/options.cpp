#include "launch/options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "kernels/base/error.hpp"
#include "launch/file_names.hpp"
#include "launch/job/stop_time.hpp"
#include "shard/plan/memory.hpp"

namespace tpinfer::launch {
namespace {

// The environment form of an option: TPINFER_BATCH_SIZE for batch-size.
std::string variable_of(const std::string& name) {
  std::string variable = "TPINFER_" + name;
  std::transform(variable.begin(), variable.end(), variable.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return variable;
}

// Adds options and gives each its environment form.
class Table {
 public:
  Table(CLI::App& app, bool (*from_environment)(std::string_view))
      : app_(app), from_environment_(from_environment) {}

  void group(std::string name) { group_ = std::move(name); }

  template <typename T>
  CLI::Option* value(const std::string& name, T& target, const std::string& type,
                     const std::string& help) {
    return finish(app_.add_option(name, target, help)->type_name(type), name);
  }

  CLI::Option* flag(const std::string& name, bool& target, const std::string& help) {
    return finish(app_.add_flag(name, target, help), name);
  }

 private:
  CLI::Option* finish(CLI::Option* option, const std::string& name) {
    const std::string own = name.substr(name.rfind("--"));
    if (!from_environment_ || from_environment_(own)) option->envname(variable_of(own.substr(2)));
    return option->group(group_);
  }

  CLI::App& app_;
  bool (*from_environment_)(std::string_view);
  std::string group_ = "Run";
};

// One line per option, so that the whole help stays below 60 lines.
class Help : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    // Without the names of its checks, which follow a colon.
    const std::string type = option->get_type_name();
    return option->get_type_size() == 0 ? "" : " " + type.substr(0, type.find(':'));
  }
  std::string make_group(std::string group, bool positional,
                         std::vector<const CLI::Option*> options) const override {
    std::string text = CLI::Formatter::make_group(std::move(group), positional, std::move(options));
    return text.substr(text.find_first_not_of('\n'));
  }
  std::string make_footer(const CLI::App* app) const override { return app->get_footer() + "\n"; }
};

// CLI11 reads the file before the environment; what the environment sets is not the file's to say.
class FileBelowEnvironment : public CLI::ConfigTOML {
 public:
  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    std::vector<CLI::ConfigItem> found = CLI::ConfigTOML::from_config(in);
    std::erase_if(found, [](const CLI::ConfigItem& item) {
      const char* value = std::getenv(variable_of(item.name).c_str());
      return value != nullptr && *value != '\0';
    });
    return found;
  }
};

// An unset variable of a script must not become another kind of run.
CLI::Validator not_empty() {
  return {[](std::string& text) { return text.empty() ? std::string("is empty") : std::string(); },
          ""};
}

// CLI11's own checks name an upper limit of 309 digits.
CLI::Validator at_least(int least) {
  const auto check = [least](std::string& text) {
    double value = 0;
    const bool legal = CLI::detail::lexical_cast(text, value) && value >= least;
    return legal ? "" : fmt::format("\"{}\" is not a number of at least {}", text, least);
  };
  return CLI::Validator(check, fmt::format("of at least {}", least));
}

void declare(CLI::App& app, Options& o, bool (*from_environment)(std::string_view)) {
  Table t(app, from_environment);
  t.group("Model and data");
  t.value("-m,--model", o.models, "FILE", "the model, an HDF5 file (required); several: see docs")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  t.value("--graph", o.graph, "NAME|INDEX", "which graph of the model [the first]")
      ->check(not_empty());
  t.value("--method", o.method, "NAME", "a method or pipeline of the model, instead of a graph")
      ->check(not_empty());
  t.value("--pipelines", o.pipelines, "FILE",
          "methods and pipelines beside the model's own (JSON)");
  t.value("--model-version", o.model_version, "N", "refuse a model of another version [any]")
      ->check(at_least(1));
  t.value("-i,--input", o.inputs, "NAME=SOURCE",
          "ones, zeros, example or a file: .npy .npz .h5:/data, IDX; see docs")
      ->expected(1)
      ->take_all();
  t.value("-o,--output", o.output, "FILE", "write the outputs: .npy (one), .npz, .h5, .json");
  t.value("--labels", o.labels, "FILE", "print the accuracy of the first output's arg-max");
  t.value("--batch-size", o.batch_size, "N", "rows at a time; inputs may exceed memory [all rows]")
      ->check(at_least(1));
  t.value("--repeat", o.repeat, "N", "run N times, same output [1]")->check(at_least(1));
  t.value("--print-head", o.print_head, "N", "values printed per output [10]; 0 = none")
      ->check(at_least(0));
  t.value("--print-rank", o.print_rank, "RANK|all", "whose outputs are printed [0]");
  t.group("Requests");
  t.value("--requests", o.requests, "FILE|-", "answer JSON lines; answers to stdout or --output")
      ->check(not_empty());
  t.value("--batch", o.batch, "N", "requests that may share a run; same answers [1]")
      ->check(at_least(1));
  t.value("--max-queue", o.max_queue, "N", "requests read ahead [64]")->check(at_least(1));
  t.value("--max-request", o.max_request, "SIZE", "the longest line of a request [64MiB]");
  t.group("Long runs");
  t.flag("--resume", o.resume, "keep progress beside --output; go on where an earlier run ended");
  t.value("--save-every", o.save_every, "SECONDS", "how often progress goes to disk [5]")
      ->check(at_least(0));
  t.value("--stop-after", o.stop_after, "DURATION|auto",
          "end in order, exit 75, before 25m or 1:30:00; auto: before the Slurm job's end");
  t.group("Checks");
  t.flag("--check", o.check, "run the model's known answers: exit 0 or 1");
  t.flag("--check-finite", o.check_finite, "refuse NaN and infinity in weights, inputs, outputs");
  t.flag("--doctor", o.doctor, "say what is wrong with this launch, and stop: exit 0 or 78");
  t.flag("--dry-run", o.dry_run, "plan and check everything, compute nothing");
  t.group("Plan");
  t.value("--strategy", o.plan.strategies, "NODE=((1,8),(8,1))",
          "cuts of nodes' inputs (* and ? in NODE), or FILE.json; ';' between");
  t.flag("--uneven", o.plan.uneven, "let a strategy cut what it does not divide");
  t.value("--plan", o.plan.plan, "cut|fastest|batch",
          "cut every weight, what is fastest, the batch [cut]")
      ->check(CLI::IsMember({"cut", "fastest", "batch"}));
  t.value("--mesh", o.plan.mesh, "dp=2,pp=2,tp=2",
          "ranks that share the batch, the layers, the tensors [tp=all]");
  t.value("--instances", o.plan.instances, "K",
          "copies of the model that share the batch: dp=K, in equal parts")
      ->check(at_least(1));
  t.value("--micro-batches", o.micro_batches, "N",
          "pieces of a batch in flight [4 per stage of pp]")
      ->check(at_least(1));
  t.value("--rank-weights", o.plan.rank_weights, "3,1", "how much each rank gets of a cut [equal]");
  t.value("--costs", o.plan.costs, "FILE", "plan by this cost table [built in]");
  t.value("--calibrate", o.calibrate, "FILE",
          "measure a cost table on these ranks, write it, stop");
  t.value("--memory", o.plan.memory, "8GiB", "per rank, weights and activations [no limit]");
  t.flag("--explain", o.explain, "print the plan: what is cut, whole, idle, moved");
  t.group("Computation");
  t.value("--kernels", o.kernels, "eigen|blas|reference", "who multiplies; same bits [eigen]")
      ->check(CLI::IsMember({"eigen", "blas", "reference"}));
  t.value("--threads", o.threads, "N", "threads per rank [cores of the mask / ranks on the node]")
      ->check(at_least(1));
  t.flag("--private-weights", o.private_weights, "a copy of equal weights for each rank of a host");
  t.flag("--fast", o.fast, "library sums: bits may change with the number of ranks");
  t.group("Run");
  t.value("--timeout", o.timeout_seconds, "SECONDS",
          "end the run when nothing moves [60]; 0 = never")
      ->check(at_least(0));
  t.flag("-q,--quiet", o.quiet, "say nothing on stderr but errors");
  t.value("--progress", o.progress, "auto|bar|lines|none", "how progress is shown [auto]")
      ->check(CLI::IsMember({"auto", "bar", "lines", "none"}));
  t.flag("--compat-log", o.compat_log, "print when instances are built, asked and ended");
  t.value("--report", o.report, "FILE", "write what happened as JSON");
}

// Options that say what one run is about, and those that say what many are about.
void check_requests(const Options& o) {
  shard::parse_bytes("--max-request", o.max_request);
  if (o.requests.empty()) {
    if (o.batch == 1) return;
    fail(Fault::usage, "--batch: it is about --requests; rows at a time are --batch-size");
  }
  if (!o.inputs.empty() || !o.labels.empty() || o.repeat > 1 || o.check) {
    fail(Fault::usage,
         "--requests bring their own inputs; leave out --input, --labels, --repeat and --check");
  }
  if (many(o.output)) fail(Fault::usage, "--requests: rank 0 answers; name one file for --output");
  if (o.compat_log) fail(Fault::usage, "--compat-log tells of one run; leave it or --requests out");
}

// A comma separates names, unless a file has it in its own.
void split_models(Options& o) {
  std::vector<std::string> models;
  for (const std::string& text : o.models) {
    std::error_code error;
    if (std::filesystem::exists(text, error)) {
      models.push_back(text);
      continue;
    }
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t comma = std::min(text.find(',', begin), text.size());
      if (comma > begin) models.push_back(text.substr(begin, comma - begin));
      begin = comma + 1;
    }
  }
  o.models = models;
  if (!models.empty()) o.model = models.front();
}

void check(const Options& o) {
  if (!o.calibrate.empty() || o.doctor) return;
  if (o.model.empty()) fail(Fault::usage, "--model is missing; see tpinfer --help");
  if (!o.graph.empty() && !o.method.empty()) {
    fail(Fault::usage,
         "--graph and --method: a method says itself which graph it runs; leave one "
         "of them out");
  }
  const bool number = !o.print_rank.empty() && o.print_rank.size() < 8 &&
                      std::all_of(o.print_rank.begin(), o.print_rank.end(),
                                  [](unsigned char c) { return std::isdigit(c); });
  if (o.print_rank != "all" && !number) {
    fail(Fault::usage,
         fmt::format("--print-rank: \"{}\" is neither a rank nor \"all\"", o.print_rank));
  }
  check_requests(o);
  if (o.check && (!o.inputs.empty() || !o.labels.empty() || !o.output.empty())) {
    fail(Fault::usage, "--check brings its own inputs; leave out --input, --labels and --output");
  }
}

void check_resume(const Options& o) {
  check_stop_after(o.stop_after);
  if (!o.resume) {
    if (o.stop_after.empty()) return;
    fail(Fault::usage, "--stop-after: what is done by then would be lost; add --resume");
  }
  const auto refuse = [](const std::string& why) { fail(Fault::usage, "--resume: " + why); };
  if (o.requests == "-") {
    refuse("requests from stdin cannot be read again; name a file with --requests");
  }
  if (o.check) refuse("--check keeps no progress; leave one of them out");
  if (o.output.empty()) refuse("progress is kept beside the output; name one with --output");
  if (o.repeat > 1) refuse("a run that goes on cannot be timed; leave out --repeat");
  if (o.fast) refuse("the bits of --fast may change with the ranks; leave one of them out");
  if (many(o.output) || std::any_of(o.inputs.begin(), o.inputs.end(), many)) {
    refuse("{rank} and {dp} belong to one number of ranks; name one file for all");
  }
}

// The file of options, "" = none; `path` is that of the environment. The parser opens it by itself:
// it would wait for the writer of a named pipe, and pass over a default that is missing.
std::string config_file(std::string path, int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--config" && i + 1 < argc) path = argv[i + 1];
    if (argument.starts_with("--config=")) path = argument.substr(9);
  }
  std::error_code error;
  if (path.empty()) return path;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
    fail(Fault::no_input, fmt::format("--config {}: it is no regular file", path));
  }
  if (access(path.c_str(), R_OK) != 0) {
    fail(Fault::no_input, fmt::format("--config {}: {}", path, std::strerror(errno)));
  }
  return path;
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// The parser names all that it did not know, the last first; the cause is the first.
std::string unknown_text(const std::vector<std::string>& words) {
  const std::string word = words.empty() ? "" : words.front();
  return word.starts_with("-") ? word + ": no such option"
                               : fmt::format("\"{}\": no option takes it", word);
}

std::string config_text(const std::string& text) {
  const std::string unknown = "INI was not able to parse ";
  if (!text.starts_with(unknown)) return "--config: " + text;
  return "--config: no option is called " + text.substr(unknown.size());
}

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv,
                               bool (*from_environment)(std::string_view)) {
  CommandLine result;
  CLI::App app("Tensor-parallel inference on CPU clusters: mpirun -n 8 tpinfer --model model.h5",
               "tpinfer");
  const auto formatter = std::make_shared<Help>();
  formatter->column_width(36);
  app.formatter(formatter);
  app.config_formatter(std::make_shared<FileBelowEnvironment>());
  app.allow_config_extras(CLI::config_extras_mode::error);
  const char* file = from_environment ? nullptr : std::getenv("TPINFER_CONFIG");
  app.set_config("--config", config_file(file ? file : "", argc, argv),
                 "options from an INI file (key = value)")
      ->type_name("FILE");
  bool version = false;
  app.add_flag("--version", version, "print versions and stop");
  declare(app, result.options, from_environment);
  app.footer(
      "Several instances side by side: tpinfer launch --help\n"
      "Environment: TPINFER_MODEL for --model, and so on. Exit codes: 0 done, 1 check failed, "
      "64 usage,\n65 bad model or input, 66 no such file, 70 bug, 71 memory, 73/74 output, 75 "
      "hung or stopped,\n76 ranks disagree, 78 wrong launcher. More: docs/command-line.md");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    result.text = app.help();
    return result;
  } catch (const CLI::FileError& error) {
    fail(Fault::no_input, one_line(error.what()));
  } catch (const CLI::ExtrasError&) {
    fail(Fault::usage, unknown_text(app.remaining()) + "; see tpinfer --help");
  } catch (const CLI::ConfigError& error) {
    fail(Fault::usage, config_text(one_line(error.what())) + "; see tpinfer --help");
  } catch (const CLI::ParseError& error) {
    fail(Fault::usage, one_line(error.what()) + "; see tpinfer --help");
  }
  if (version) {
    result.text = version_text() + "\n";
    return result;
  }
  split_models(result.options);
  check(result.options);
  check_resume(result.options);
  if (result.options.compat_log) result.options.print_head = 0;
  return result;
}

}  // namespace tpinfer::launch
