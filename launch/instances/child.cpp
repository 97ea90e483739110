#include "launch/instances/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "kernels/base/error.hpp"

namespace tpinfer::launch {
namespace {

struct Pipe {
  Descriptor read, write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    fail(Fault::memory, fmt::format("no pipe to an instance: {}", std::strerror(errno)));
  }
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor open_log(const std::string& path) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!file.open()) fail(Fault::cannot_create, fmt::format("{}: {}", path, std::strerror(errno)));
  return file;
}

// Everything that the child's side needs, made before the fork: after it only calls that are safe
// in a copy of one thread.
struct Plan {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  cpu_set_t mask;
  bool bind = false;
  int in = -1, out = -1, err = -1, told = -1;
  pid_t parent = -1;
};

[[noreturn]] void become(const Plan& plan) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != plan.parent) _exit(127);  // it died before we asked
  sigset_t none;
  sigemptyset(&none);
  for (int number : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGXFSZ}) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (plan.bind) sched_setaffinity(0, sizeof plan.mask, &plan.mask);
  dup2(plan.in, STDIN_FILENO);
  dup2(plan.out, STDOUT_FILENO);
  dup2(plan.err, STDERR_FILENO);
  environ =
      plan.environment.data() == nullptr ? environ : const_cast<char**>(plan.environment.data());
  execvp(plan.arguments[0], plan.arguments.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(plan.told, &error, sizeof error);
  _exit(127);
}

std::string name_of_variable(const std::string& setting) {
  return setting.substr(0, setting.find('=') + 1);
}

// Ours, with the settings in place of variables of the same names.
std::vector<std::string> environment_with(const std::vector<std::string>& settings) {
  std::vector<std::string> all = settings;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    bool replaced = false;
    for (const std::string& setting : settings) {
      replaced = replaced || text.starts_with(name_of_variable(setting));
    }
    if (!replaced) all.push_back(text);
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

Child start_child(const ChildSpec& spec) {
  std::vector<std::string> command = spec.command;
  std::vector<std::string> environment = environment_with(spec.environment);
  Plan plan;
  plan.arguments = pointers(command);
  plan.environment = pointers(environment);
  plan.parent = getpid();
  plan.bind = !spec.cores.empty();
  CPU_ZERO(&plan.mask);
  for (int core : spec.cores) CPU_SET(core, &plan.mask);

  Pipe in, out, err, told = make_pipe();
  if (spec.has_input) {
    in = make_pipe();
  } else {
    in.read = Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  if (spec.output.empty()) out = make_pipe();
  if (spec.errors.empty()) err = make_pipe();
  if (!spec.output.empty()) out.write = open_log(spec.output);
  if (!spec.errors.empty()) err.write = open_log(spec.errors);
  plan.in = in.read.get();
  plan.out = out.write.get();
  plan.err = err.write.get();
  plan.told = told.write.get();

  const pid_t pid = fork();
  if (pid < 0) fail(Fault::memory, fmt::format("cannot start {}: {}", command[0], strerror(errno)));
  if (pid == 0) become(plan);
  setpgid(pid, pid);  // here too: whoever comes first
  told.write.reset();
  int error = 0;
  if (read(told.read.get(), &error, sizeof error) == sizeof error) {
    waitpid(pid, nullptr, 0);
    fail(Fault::no_input, fmt::format("cannot start {}: {}", command[0], std::strerror(error)));
  }
  if (in.write.open()) fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  return {pid, std::move(in.write), std::move(out.read), std::move(err.read)};
}

}  // namespace tpinfer::launch
