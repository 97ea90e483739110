// What tpinfer does: `run` on inputs, or `check` known answers. Both collective; both throw the
// same error on all ranks.
#pragma once

#include "comm/mpi/session.hpp"
#include "launch/options.hpp"
#include "launch/runner.hpp"
#include "launch/threads.hpp"

namespace tpinfer::launch {

// Everything that a run needs and that outlives it.
struct Context {
  const Options& options;
  comm::Session& session;
  runtime::Model& model;
  Story& story;
  ThreadPlan threads;
  std::size_t resident_bytes_at_start = 0;  // the peak when MPI had started
};

// Tells how the plans of what is loaded spread over the ranks: a few lines. Local.
void tell_plan(const Context& context, const std::vector<const Runner*>& runners);

// Runs the graph on the inputs of the command line. Returns the exit code.
int run_inputs(const Context& context);

// Runs the embedded known answers (--check): 0 when all agree, else 1. Fault::data without any.
int run_check(const Context& context);

// Answers the requests of --requests until they end, or a signal asks for the end
// (Fault::temporary). Returns the exit code.
int run_requests(const Context& context);

}  // namespace tpinfer::launch
