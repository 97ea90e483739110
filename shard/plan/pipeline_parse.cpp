#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/base/error.hpp"
#include "shard/plan/pipeline_spec.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

using Json = nlohmann::ordered_json;
using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr int kMaxLoops = 8;  // inside each other

void check_keys(const std::string& where, const Json& json,
                std::initializer_list<std::string_view> known) {
  if (!json.is_object()) fail(Fault::data, where + ": must be a JSON object");
  for (const auto& [key, value] : json.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    fail(Fault::data, fmt::format("{}: unknown key \"{}\"; known: {}", where, printable(key),
                                  fmt::join(known, ", ")));
  }
}

const Json& list_at(const std::string& where, const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) {
    fail(Fault::data, fmt::format("{}: the key \"{}\" is missing", where, key));
  }
  if (!found->is_array()) fail(Fault::data, fmt::format("{}: \"{}\" must be a list", where, key));
  return *found;
}

std::string name_of_json(const std::string& where, const Json& json) {
  if (!json.is_string()) fail(Fault::data, where + " must be a name");
  check_name(where, json.get_ref<const std::string&>());
  return json;
}

Pairs pairs_at(const std::string& where, const Json& json, const char* key) {
  const std::string here = fmt::format("{}: \"{}\"", where, key);
  if (!json.is_object()) fail(Fault::data, here + " must be an object of names");
  Pairs pairs;
  for (const auto& [name, value] : json.items()) {
    pairs.emplace_back(name, name_of_json(here, value));
  }
  return pairs;
}

Repeat parse_repeat(const std::string& where, const Json& json) {
  Repeat repeat;
  if (json.is_number_integer()) {
    const bool legal = json.is_number_unsigned() && json.get<std::uint64_t>() >= 1 &&
                       json.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxRepeat);
    if (!legal) {
      fail(Fault::data,
           fmt::format("{}: \"repeat\" is {}; legal are 1 to {}", where, json.dump(), kMaxRepeat));
    }
    repeat.count = json;
    return repeat;
  }
  if (json.is_string()) {
    repeat.tensor = name_of_json(where + ": \"repeat\"", json);
    return repeat;
  }
  if (!json.is_object()) {
    fail(Fault::data, where +
                          ": \"repeat\" must be a number, the name of an integer tensor or "
                          "{\"extent_of\": name, \"dimension\": number}");
  }
  check_keys(where + ": \"repeat\"", json, {"extent_of", "dimension"});
  if (!json.contains("extent_of") || !json.contains("dimension") ||
      !json["dimension"].is_number_unsigned() || json["dimension"].get<std::uint64_t>() > 7) {
    fail(Fault::data,
         where + ": \"repeat\" needs \"extent_of\", a name, and \"dimension\", 0 to 7");
  }
  repeat.tensor = name_of_json(where + ": \"extent_of\"", json["extent_of"]);
  repeat.dimension = json["dimension"];
  return repeat;
}

// Steps as they are written, and what follows from the callees.
class Parser {
 public:
  Parser(PipelineSpec& spec, const FindCallee& find) : spec_(spec), find_(find) {}

  void run(const Json& json) {
    check_keys("the pipeline", json, {"inputs", "outputs", "steps"});
    for (const Json& input : list_at("the pipeline", json, "inputs")) add_input(input);
    std::set<std::string> known = untyped_;
    for (const ValueSpec& input : spec_.inputs) known.insert(input.name);
    spec_.steps = parse_steps("step ", list_at("the pipeline", json, "steps"), 0);
    check_steps(spec_.steps, known);
    for (const Json& output : list_at("the pipeline", json, "outputs")) {
      const std::string name = name_of_json("\"outputs\"", output);
      need(known, "\"outputs\"", name);
      if (std::find(spec_.outputs.begin(), spec_.outputs.end(), name) != spec_.outputs.end()) {
        fail(Fault::data, "\"outputs\" names " + printable(name) + " twice");
      }
      spec_.outputs.push_back(name);
    }
    if (spec_.outputs.empty()) fail(Fault::data, "\"outputs\" is empty");
    if (!untyped_.empty()) {
      fail(Fault::data,
           fmt::format("input {}: no step takes it as it is; write its name, dtype and "
                       "shape",
                       printable(*untyped_.begin())));
    }
  }

 private:
  void add_input(const Json& json) {
    ValueSpec spec;
    if (json.is_string()) {
      spec.name = name_of_json("\"inputs\"", json);
      untyped_.insert(spec.name);
    } else {
      spec = parse_value_spec("\"inputs\"", json.dump());
      // Symbols that the pipeline names itself are its own.
      for (const Extent& extent : spec.shape) taken_.emplace(extent.symbol, "");
    }
    for (const ValueSpec& other : spec_.inputs) {
      if (other.name == spec.name) {
        fail(Fault::data, "\"inputs\" names " + printable(spec.name) + " twice");
      }
    }
    spec_.inputs.push_back(std::move(spec));
  }

  std::vector<PipelineStep> parse_steps(const std::string& prefix, const Json& json, int loops) {
    std::vector<PipelineStep> steps;
    if (json.empty()) fail(Fault::data, prefix + "list: it is empty");
    for (const Json& item : json) {
      PipelineStep step;
      step.where = fmt::format("{}{}", prefix, steps.size());
      check_keys(step.where, item,
                 {"method", "graph", "inputs", "outputs", "repeat", "carry", "until", "steps"});
      const bool loop = item.contains("repeat") || item.contains("steps");
      const int kinds = int{loop} + int{item.contains("method")} + int{item.contains("graph")};
      if (kinds != 1) {
        fail(Fault::data, step.where + ": wants one of \"method\", \"graph\" and \"repeat\"");
      }
      if (loop) {
        parse_loop(step, item, loops + 1);
      } else {
        parse_call(step, item);
      }
      steps.push_back(std::move(step));
    }
    return steps;
  }

  void parse_loop(PipelineStep& step, const Json& json, int loops) {
    check_keys(step.where + ", a loop", json, {"repeat", "carry", "until", "steps"});
    if (loops > kMaxLoops) {
      fail(Fault::data,
           fmt::format("{}: loops inside each other more than {} deep", step.where, kMaxLoops));
    }
    step.is_loop = true;
    if (!json.contains("repeat")) {
      fail(Fault::data, step.where + ": the key \"repeat\" is missing: how often at most");
    }
    step.repeat = parse_repeat(step.where, json["repeat"]);
    if (json.contains("carry")) step.carry = pairs_at(step.where, json["carry"], "carry");
    if (json.contains("until"))
      step.until = name_of_json(step.where + ": \"until\"", json["until"]);
    step.steps = parse_steps(step.where + ".", list_at(step.where, json, "steps"), loops);
  }

  void parse_call(PipelineStep& step, const Json& json) {
    check_keys(step.where + ", a call", json, {"method", "graph", "inputs", "outputs"});
    step.is_method = json.contains("method");
    const Json& callee = step.is_method ? json["method"] : json["graph"];
    step.callee = callee.is_number_unsigned() && !step.is_method
                      ? callee.dump()
                      : name_of_json(step.where + ": the callee", callee);
    const Signature signature = callee_of(step);
    Pairs inputs, outputs;
    if (json.contains("inputs")) inputs = pairs_at(step.where, json["inputs"], "inputs");
    std::vector<std::string> names;
    for (const ValueSpec& input : signature.inputs) {
      names.push_back(input.name);
      const auto given = std::find_if(inputs.begin(), inputs.end(),
                                      [&](const auto& pair) { return pair.first == input.name; });
      step.inputs.emplace_back(input.name, given == inputs.end() ? input.name : given->second);
    }
    check_names(step, inputs, names, "input");
    if (json.contains("outputs")) {
      step.outputs = pairs_at(step.where, json["outputs"], "outputs");
    } else {
      for (const std::string& output : signature.outputs) step.outputs.emplace_back(output, output);
    }
    check_names(step, step.outputs, signature.outputs, "output");
    check_variables(step);
  }

  Signature callee_of(const PipelineStep& step) const {
    try {
      return find_(step.callee, step.is_method);
    } catch (const Error& error) {
      fail_in(step.where, error);
    }
  }

  static void check_names(const PipelineStep& step, const Pairs& given,
                          const std::vector<std::string>& names, const char* what) {
    for (const auto& [name, variable] : given) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      fail(Fault::data, fmt::format("{}: {} {} has no {} {}; it has {}", step.where,
                                    step.is_method ? "method" : "graph", step.callee, what,
                                    printable(name), fmt::join(names, ", ")));
    }
  }

  static void check_variables(const PipelineStep& step) {
    std::map<std::string, std::string> made;  // variable -> output
    for (const auto& [output, variable] : step.outputs) {
      const auto [other, first] = made.emplace(variable, output);
      if (first) continue;
      fail(Fault::data, fmt::format("{}: outputs {} and {} both go into {}", step.where,
                                    other->second, output, printable(variable)));
    }
  }

  static void need(const std::set<std::string>& known, const std::string& where,
                   const std::string& name) {
    if (known.contains(name)) return;
    fail(Fault::data, fmt::format("{}: nobody gave {} a value; known here: {}", where,
                                  printable(name), fmt::join(known, ", ")));
  }

  // `known`: the variables with a value; grows.
  void check_steps(const std::vector<PipelineStep>& steps, std::set<std::string>& known) {
    for (const PipelineStep& step : steps) {
      if (!step.is_loop) {
        take_types(step);
        for (const auto& [input, variable] : step.inputs) need(known, step.where, variable);
        for (const auto& [output, variable] : step.outputs) {
          known.insert(variable);
          replaced_.insert(variable);
        }
        continue;
      }
      if (!step.repeat.tensor.empty()) need(known, step.where, step.repeat.tensor);
      for (const auto& [state, next] : step.carry) need(known, step.where + ": \"carry\"", state);
      check_steps(step.steps, known);
      for (const auto& [state, next] : step.carry) need(known, step.where + ": \"carry\"", next);
      if (!step.until.empty()) need(known, step.where + ": \"until\"", step.until);
    }
  }

  // Inputs without a type that this call takes as they came have the type of its inputs.
  void take_types(const PipelineStep& step) {
    const Signature signature = callee_of(step);
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const std::string& variable = step.inputs[i].second;
      if (!untyped_.contains(variable) || replaced_.contains(variable)) continue;
      for (ValueSpec& input : spec_.inputs) {
        if (input.name != variable) continue;
        input.dtype = signature.inputs[i].dtype;
        input.shape = signature.inputs[i].shape;
        for (Extent& extent : input.shape) extent.symbol = own_symbol(extent.symbol, step.where);
      }
      untyped_.erase(variable);
    }
  }

  // The same symbol of two calls is two symbols: each call has its own extents.
  std::string own_symbol(const std::string& symbol, const std::string& where) {
    if (symbol.empty()) return "";
    const std::string& owner = taken_.try_emplace(symbol, where).first->second;
    return owner == where ? symbol : symbol + "@" + where;
  }

  PipelineSpec& spec_;
  const FindCallee& find_;
  std::set<std::string> untyped_;             // inputs that are a name so far
  std::set<std::string> replaced_;            // variables that a step made
  std::map<std::string, std::string> taken_;  // symbol -> the step that it is of
};

}  // namespace

PipelineSpec parse_pipeline(const std::string& name, const std::string& json,
                            const FindCallee& find) {
  const std::string where = "pipeline " + printable(name);
  check_json(where, json);
  try {
    PipelineSpec spec;
    spec.name = name;
    Parser(spec, find).run(Json::parse(json));
    return spec;
  } catch (const Error& error) {
    fail_in(where, error);
  }
}

}  // namespace tpinfer::shard
