// The library's interface: each call is a visit, and each error one that the caller knows.
#include <new>
#include <utility>

#include <tpinfer/tpinfer.hpp>

#include "comm/mpi/session.hpp"
#include "kernels/base/sha256.hpp"
#include "launch/library/library_run.hpp"
#include "launch/library/visit.hpp"
#include "launch/options.hpp"

namespace tpinfer {
namespace {

template <typename Call>
auto as_error(Call&& call) {
  try {
    return call();
  } catch (const Error& error) {
    throw Error(error.fault(), error.what());  // without types of ours
  } catch (const std::bad_alloc&) {
    throw Error(Fault::memory, "out of memory");
  } catch (const std::exception& error) {
    throw Error(Fault::internal, error.what());
  }
}

}  // namespace

struct Model::State {
  std::unique_ptr<launch::LibraryRun> run;

  // A call while the watchdog knows that we are at work.
  template <typename Call>
  auto visit(Call&& call) {
    struct Inside {
      launch::LibraryRun& run;
      explicit Inside(launch::LibraryRun& the_run) : run(the_run) { run.set_inside(true); }
      ~Inside() { run.set_inside(false); }
    };
    return as_error([&] {
      comm::require_mpi();
      const launch::Visit visit(run->threads());
      const Inside inside(*run);
      return call();
    });
  }
};

Model::Model(const std::string& path, const Communicator& communicator, const Settings& settings)
    : state_(std::make_unique<State>()) {
  as_error([&] {
    const launch::Visit visit(1);
    state_->run = std::make_unique<launch::LibraryRun>(path, communicator, settings);
    state_->run->set_inside(false);
  });
}

Model::~Model() {
  try {
    close();
  } catch (const Error&) {
  }
}

Model::Model(Model&&) noexcept = default;

Model& Model::operator=(Model&& other) noexcept {
  if (this != &other) {
    Model old(std::move(*this));
    state_ = std::move(other.state_);
  }
  return *this;
}

Model::State& Model::state() const {
  if (!state_) fail(Fault::usage, "the model is closed");
  return *state_;
}

int Model::rank() const { return state().run->rank(); }
int Model::size() const { return state().run->size(); }
const std::vector<ValueInfo>& Model::inputs() const { return state().run->inputs(); }
const std::vector<ValueInfo>& Model::outputs() const { return state().run->outputs(); }
const std::map<std::string, std::int64_t>& Model::extents() const { return state().run->extents(); }

void Model::set_extents(const std::map<std::string, std::int64_t>& extents) {
  State& s = state();
  s.visit([&] {
    std::map<std::string, std::int64_t> all = s.run->extents();
    for (const auto& [symbol, value] : extents) all[symbol] = value;
    s.run->load(all);
  });
}

std::vector<Output> Model::run(const std::vector<Input>& inputs, InputsOf whose) {
  State& s = state();
  return s.visit([&] { return s.run->run(inputs, whose); });
}

void Model::close() {
  if (!state_) return;
  const std::unique_ptr<State> state = std::move(state_);
  as_error([&] {
    const launch::Visit visit(1);
    state->run->set_inside(true);
    state->run.reset();
  });
}

std::string sha256(const Output& output) {
  return sha256_hex(output.data.data(), output.data.size());
}

std::string version() {
  return as_error([] {
    const launch::Visit visit(1);
    return launch::version_text();
  });
}

}  // namespace tpinfer
