#include "launch/job/progress_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "comm/fault.hpp"
#include "kernels/base/error.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/file/text_file.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::launch {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchema = 1;
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

std::string unfinished_path(const std::string& path) { return path + ".new"; }

JobProgress parse(const std::string& text) {
  const Json json = Json::parse(text);
  JobProgress progress;
  progress.unit = json.value("unit", progress.unit);
  if (json.at("schema").get<int>() != kSchema) {
    throw std::runtime_error(fmt::format("its schema is {}, this version reads {}",
                                         json.at("schema").get<int>(), kSchema));
  }
  for (const auto& [name, value] : json.at("facts").items()) {
    progress.facts.emplace_back(name, value.get<std::string>());
  }
  progress.model_times = json.at("model_times").get<std::string>();
  progress.total = json.at("total").get<std::int64_t>();
  progress.done = json.at("done").get<std::int64_t>();
  progress.finishing = json.at("finishing").get<bool>();
  progress.hashes = json.at("hashes").get<std::map<std::string, std::string>>();
  if (progress.done < 0 || progress.done > progress.total ||
      (progress.finishing && progress.done < progress.total)) {
    throw std::runtime_error(fmt::format("{} of {} done", progress.done, progress.total));
  }
  return progress;
}

std::string to_text(const JobProgress& progress) {
  Json facts = Json::object();
  for (const auto& [name, value] : progress.facts) facts[name] = value;
  Json json{
      {"schema", kSchema},        {"facts", facts},        {"model_times", progress.model_times},
      {"total", progress.total},  {"done", progress.done}, {"finishing", progress.finishing},
      {"hashes", progress.hashes}};
  if (progress.unit != JobProgress{}.unit) json["unit"] = progress.unit;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

[[noreturn]] void fail_write(const std::string& path) {
  fail(Fault::io, fmt::format("{}: writing failed: {}", path, std::strerror(errno)));
}

// A file that is closed on every way out.
struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

void write_to_disk(const std::string& path, const std::string& text) {
  const Descriptor file{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666)};
  if (file.number < 0) {
    fail(Fault::cannot_create,
         fmt::format("{}: cannot be created: {}", path, std::strerror(errno)));
  }
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t put = ::write(file.number, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_write(path);
    done += static_cast<std::size_t>(put);
  }
  if (::fsync(file.number) != 0) fail_write(path);
}

}  // namespace

std::string start_again_text(const std::string& progress_path, const std::string& unit) {
  const std::string output =
      progress_path.substr(0, progress_path.size() - std::strlen(kProgressEnding));
  return fmt::format("; remove {} and {}{} to start again", progress_path, output,
                     unit == JobProgress{}.unit ? ".part" : "");
}

std::optional<JobProgress> read_progress(const std::string& path, const std::string& unit) {
  if (std::error_code error; !std::filesystem::exists(path, error)) return std::nullopt;
  try {
    const std::string text = shard::read_text_file("progress", path, kMaxBytes);
    shard::check_json("it", text);
    JobProgress found = parse(text);
    if (found.unit != unit) {
      throw std::runtime_error(
          fmt::format("it counts {}, not {}", shard::printable(found.unit), unit));
    }
    return found;
  } catch (const Error& error) {
    if (error.fault() == Fault::no_input) throw;
    fail(Fault::data,
         fmt::format("{}: damaged: {}{}", path, error.what(), start_again_text(path, unit)));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    fail(Fault::data, fmt::format("{}: damaged or of another version: {}{}", path,
                                  shard::printable(error.what()), start_again_text(path, unit)));
  }
}

void write_progress(const std::string& path, const JobProgress& progress) {
  const std::string unfinished = unfinished_path(path);
  try {
    write_to_disk(unfinished, to_text(progress));
    comm::fault_site("progress written");
    if (::rename(unfinished.c_str(), path.c_str()) != 0) fail_write(path);
  } catch (const std::exception&) {
    ::unlink(unfinished.c_str());
    throw;
  }
  comm::fault_site("progress renamed");
  shard::sync_folder_of(path);
}

void remove_progress(const std::string& path) {
  ::unlink(unfinished_path(path).c_str());
  shard::remove_file(path);
}

void check_fact(const std::string& path, const JobProgress& found, const std::string& name,
                const std::string& value) {
  const auto at = std::find_if(found.facts.begin(), found.facts.end(),
                               [&](const auto& fact) { return fact.first == name; });
  if (at != found.facts.end() && at->second == value) return;
  fail(Fault::data, fmt::format("{}: {} of {} {} were made with {} {}, now it is {}{}", path,
                                found.done, found.total, found.unit, name,
                                at == found.facts.end() ? "unknown" : shard::printable(at->second),
                                shard::printable(value), start_again_text(path, found.unit)));
}

}  // namespace tpinfer::launch
