// The one exception of the project, and the exit codes it carries.
#pragma once

#include <stdexcept>
#include <string>

namespace tpinfer {

// What went wrong, as the process's exit code (sysexits where one fits; docs/exit-codes.md).
enum class Fault : int {
  check_failed = 1,    // --check found a difference
  usage = 64,          // wrong option or argument
  data = 65,           // bad model or input
  no_input = 66,       // a file is missing or cannot be opened
  internal = 70,       // a bug of ours
  memory = 71,         // out of memory or another resource of the system
  cannot_create = 73,  // an output cannot be created
  io = 74,             // reading or writing failed
  temporary = 75,      // a rank hung or a signal drained the run: run it again
  disagreement = 76,   // ranks hold different files, options or results
  config = 78,         // wrong launcher or configuration
};

// One line that says what, where and what to do. No trailing newline, no "tpinfer: " prefix.
class Error : public std::runtime_error {
 public:
  Error(Fault fault, const std::string& text) : std::runtime_error(text), fault_(fault) {}
  Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

[[noreturn]] inline void fail(Fault fault, const std::string& text) { throw Error(fault, text); }

// Rethrows `error` with `where` before its text: messages read from outside in.
[[noreturn]] inline void fail_in(const std::string& where, const Error& error) {
  throw Error(error.fault(), where + ": " + error.what());
}

}  // namespace tpinfer
