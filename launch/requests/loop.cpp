// The request loop over all ranks: rank 0 serves, the others run what it orders.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "comm/activity.hpp"
#include "comm/together.hpp"
#include "kernels/base/error.hpp"
#include "kernels/base/text.hpp"
#include "launch/overwrite.hpp"
#include "launch/report.hpp"
#include "launch/requests/protocol.hpp"
#include "launch/requests/server.hpp"
#include "launch/run.hpp"

namespace tpinfer::launch {
namespace {

class RequestLoop {
 public:
  explicit RequestLoop(const Context& context)
      : context_(context),
        o_(context.options),
        world_(context.session.world()),
        callables_(load_callables(context)) {}

  int run() {
    if (o_.dry_run) {
      context_.story.line("dry run: nothing was computed");
      return 0;
    }
    comm::together(world_, "open requests", [&] {
      if (world_.rank() != 0) return;
      if (!o_.resume) refuse_to_lose_answers(o_.output);
      server_ = std::make_unique<Server>(parts());
    });
    if (server_ && server_->answered_before() > 0) {
      context_.story.line(
          fmt::format("resumed: {} answered before",
                      counted(static_cast<std::size_t>(server_->answered_before()), "request")));
    }
    context_.story.line(fmt::format("ready for requests on {}: {}",
                                    counted(static_cast<std::size_t>(world_.size()), "rank"),
                                    names()));
    context_.story.finish();
    const Order end = world_.rank() == 0 ? serve() : follow();
    finish();
    if (end.fault != 0) throw comm::AgreedError(static_cast<Fault>(end.fault), end.text);
    return 0;
  }

 private:
  std::string names() const {
    std::string text;
    for (const auto& callable : callables_) text += (text.empty() ? "" : ", ") + callable->name();
    return text;
  }

  ServerParts parts() {
    KeptFiles kept;
    for (std::size_t i = 0; i < context_.model.file_count(); ++i) {
      add_files_of(context_.model.table(i), kept);
    }
    kept.add("the requests", o_.requests == "-" ? "" : o_.requests);
    kept.add("the answers", o_.output);
    kept.add("the report", o_.report);
    if (o_.resume) kept.add("the progress of the run", progress_path(o_.output));
    return {context_, callables_, std::move(kept),
            [this](Callable& callable, const shard::Symbols& symbols,
                   const std::function<void(std::size_t, View)>& fill) {
              Order order;
              while (callables_[static_cast<std::size_t>(++order.callable)].get() != &callable) {
              }
              order.symbols = symbols;
              share_order(world_, callables_, order);
              obey(order, fill);
            }};
  }

  // What ends the serving is the end on all ranks: they wait for the next order.
  Order serve() {
    Order end;
    try {
      server_->serve();
      if (!server_->stopped().empty()) {
        end.fault = static_cast<int>(Fault::temporary);
        end.text = server_->stopped();
      }
    } catch (const Error& error) {
      if (running_) throw;  // the ranks are in the middle of a run
      end.fault = static_cast<int>(error.fault());
      end.text =
          fmt::format("{}; {} answered", error.what(),
                      counted(static_cast<std::size_t>(server_->counts().requests), "request"));
    }
    return share_order(world_, callables_, end);
  }

  Order follow() {
    for (;;) {
      comm::set_phase("wait for requests");
      Order order = share_order(world_, callables_, {});
      if (order.callable < 0) return order;
      try {
        obey(order, {});
      } catch (const comm::AgreedError&) {  // rank 0 answers it
      }
    }
  }

  void obey(const Order& order, const std::function<void(std::size_t, View)>& fill) {
    running_ = true;
    try {
      callables_[static_cast<std::size_t>(order.callable)]->run(order.symbols, fill);
    } catch (const comm::AgreedError&) {
      running_ = false;
      throw;
    }
    running_ = false;
  }

  void finish() {
    comm::set_phase("finish");
    Report report;
    report.nodes = context_.session.node_count();
    report.threads = context_.threads.threads;
    RankTimes mine = times_of(callables_);
    mine.resident_bytes_at_start = static_cast<std::int64_t>(context_.resident_bytes_at_start);
    report.ranks = gather_times(world_, mine);
    if (server_) {
      report.requests = server_->counts();
      const RequestCounts& counts = *report.requests;
      context_.story.line(times_text(report.ranks));
      context_.story.line(fmt::format(
          "{}, {}, {} in {:.3f} s: {:.0f} requests per second",
          counted(static_cast<std::size_t>(counts.requests), "request"),
          counted(static_cast<std::size_t>(counts.errors), "error"),
          counted(static_cast<std::size_t>(counts.runs), "run"), counts.seconds,
          counts.seconds > 0 ? static_cast<double>(counts.requests) / counts.seconds : 0));
      context_.story.finish();
    }
    comm::together(world_, "write report", [&] {
      if (!o_.report.empty() && world_.rank() == 0) {
        write_report(o_, callables_[0]->runner(), report);
      }
    });
  }

  const Context& context_;
  const Options& o_;
  comm::Communicator& world_;
  std::vector<std::unique_ptr<Callable>> callables_;
  std::unique_ptr<Server> server_;  // rank 0
  bool running_ = false;            // between an order and its end
};

}  // namespace

int run_requests(const Context& context) { return RequestLoop(context).run(); }

}  // namespace tpinfer::launch
