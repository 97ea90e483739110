// The requests that tpinfer launch shares out, and where the answers go.
#pragma once

#include <functional>
#include <string>

#include "launch/instances/descriptor.hpp"
#include "launch/instances/line_reader.hpp"

namespace tpinfer::launch {

class RequestStream {
 public:
  // `requests`: a file, or "-" for stdin. `output`: a file, made anew, or "" for stdout. `add` gets
  // each request; empty lines are skipped, as tpinfer --requests does. Throws Fault::no_input,
  // Fault::cannot_create; Fault::usage when both are the same file.
  RequestStream(const std::string& requests, const std::string& output,
                std::function<void(std::string)> add);

  int input() const { return input_; }
  bool ended() const { return ended_; }
  // Whether the last request has been read: nothing was left unread.
  bool complete() const { return complete_; }

  // Reads what is there. Throws Fault::io.
  void read_some();
  // No more is read.
  void stop() { ended_ = true; }

  // One answer, one write. Throws Fault::io; a reader that has gone ends the stream.
  void write_answer(const std::string& line);

 private:
  Descriptor file_, answers_;
  int input_ = -1, output_ = -1;
  std::string name_;
  LineReader lines_;
  bool ended_ = false, complete_ = false;
};

}  // namespace tpinfer::launch
