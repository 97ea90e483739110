#include "shard/file/preflight.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "kernels/base/error.hpp"
#include "kernels/base/heartbeat.hpp"
#include "shard/plan/text_check.hpp"

namespace tpinfer::shard {
namespace {

// Beyond the helper's own 10 s of CPU time: a file system that does not answer.
constexpr int kWallSeconds = 60;
constexpr std::size_t kMaxAnswerBytes = std::size_t{512} << 20;

// Variables that make the HDF5 library load code or look for files elsewhere.
constexpr std::array<std::string_view, 6> kUnwanted = {
    "HDF5_PLUGIN_PATH=",   "HDF5_PLUGIN_PRELOAD=", "HDF5_DRIVER=",
    "HDF5_VOL_CONNECTOR=", "HDF5_EXTFILE_PREFIX=", "HDF5_VDS_PREFIX="};

std::vector<char*> helper_environment() {
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    bool wanted = true;
    for (const std::string_view name : kUnwanted) {
      wanted &= !std::string_view(*variable).starts_with(name);
    }
    if (wanted) variables.push_back(*variable);
  }
  variables.push_back(nullptr);
  return variables;
}

// The running helper: its process and the read end of its output. Never outlives this object.
class Helper {
 public:
  Helper(const std::string& program, const std::string& path, bool for_planning);
  ~Helper();
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  // Everything the helper printed; `timed_out` when it did not end in time.
  std::string read_all(bool& timed_out);
  int wait();  // the status of waitpid

 private:
  pid_t process_ = -1;
  int output_ = -1;
};

Helper::Helper(const std::string& program, const std::string& path, bool for_planning) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    fail(Fault::memory, fmt::format("no pipe for the preflight helper: {}", std::strerror(errno)));
  }
  output_ = ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  // A crashing C library would write there; the one line about it is ours.
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::string program_copy = program, path_copy = path;
  std::string purpose = "plan";
  char* arguments[] = {program_copy.data(), path_copy.data(),
                       for_planning ? purpose.data() : nullptr, nullptr};
  std::vector<char*> environment = helper_environment();
  const int failure =
      ::posix_spawn(&process_, program.c_str(), &actions, nullptr, arguments, environment.data());
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (failure != 0) {
    process_ = -1;
    ::close(output_);
    fail(Fault::config, fmt::format("{}: the preflight helper cannot be run: {}; it belongs beside "
                                    "tpinfer",
                                    printable(program), std::strerror(failure)));
  }
}

Helper::~Helper() {
  ::close(output_);
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    wait();
  }
}

std::string Helper::read_all(bool& timed_out) {
  std::string text;
  std::vector<char> buffer(1 << 16);
  int quiet_seconds = 0;
  while (quiet_seconds < kWallSeconds && text.size() <= kMaxAnswerBytes) {
    pollfd waiting{output_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 1000);
    beat();
    if (ready == 0) ++quiet_seconds;
    if (ready <= 0) continue;
    const ssize_t got = ::read(output_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  timed_out = true;
  return text;
}

int Helper::wait() {
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  return status;
}

[[noreturn]] void fail_signal(const std::string& shown, int signal) {
  if (signal == SIGXCPU || signal == SIGKILL) {
    fail(Fault::data, shown + ": checking it used more than 10 s of CPU time, or was killed");
  }
  fail(Fault::data, fmt::format("{}: the HDF5 library crashed on it (signal {})", shown, signal));
}

ModelTable parse_answer(const std::string& shown, const std::string& answer, int status) {
  const auto json = nlohmann::json::parse(answer, nullptr, false);
  if (json.is_object() && json.contains("fault")) {
    fail(static_cast<Fault>(json.value("fault", static_cast<int>(Fault::internal))),
         json.value("text", shown));
  }
  if (!json.is_object() || status != 0) {
    fail(Fault::data, fmt::format("{}: the preflight helper ended without an answer (status {})",
                                  shown, WEXITSTATUS(status)));
  }
  return parse_model_table(answer);
}

}  // namespace

ModelTable preflight(const std::string& path, const std::string& helper_program,
                     bool for_planning) {
  const std::string shown = printable(path);
  Helper helper(helper_program, path, for_planning);
  bool timed_out = false;
  const std::string answer = helper.read_all(timed_out);
  if (timed_out) {
    fail(Fault::no_input,
         fmt::format("{}: checking it did not end within {} s", shown, kWallSeconds));
  }
  const int status = helper.wait();
  if (WIFSIGNALED(status)) fail_signal(shown, WTERMSIG(status));
  return parse_answer(shown, answer, status);
}

}  // namespace tpinfer::shard
