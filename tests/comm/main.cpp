// Runs the same tests on all ranks. A test that fails on any rank fails the program on all; only
// rank 0 prints results, other ranks what failed on them.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

#include "comm/mpi/watchdog.hpp"
#include "tests/comm/world.hpp"

namespace tpinfer::comm {
namespace {

Session* session = nullptr;

class FailuresOnly final : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const std::string text = "rank " + std::to_string(world().rank()) + ": " +
                             (result.file_name() ? result.file_name() : "") + ":" +
                             std::to_string(result.line_number()) + ": " + result.message() + "\n";
    std::fputs(text.c_str(), stderr);
  }
};

// Fails the test of a rank whose test failed elsewhere, so that all ranks count alike.
class Agreement final : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& info) override {
    const std::size_t ranks = static_cast<std::size_t>(world().size());
    const char mine = info.result()->Failed() ? 1 : 0;
    std::string all(ranks, '\0');
    world().all_gather(&mine, std::vector<std::size_t>(ranks, 1), all.data());
    const auto failed = all.find('\1');
    if (failed != all.npos && !mine) {
      ADD_FAILURE() << info.test_suite_name() << "." << info.name() << " failed on rank " << failed;
    }
  }
};

}  // namespace

Session& test_session() { return *session; }

int run_tests() {
  Watchdog watchdog(60);
  Session own_session;
  session = &own_session;
  watchdog.connect(own_session);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (world().rank() != 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailuresOnly);
  }
  listeners.Append(new Agreement);
  return RUN_ALL_TESTS();
}

}  // namespace tpinfer::comm

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return tpinfer::comm::run_tests();
}
