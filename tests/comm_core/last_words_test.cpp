#include "comm/last_words.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace tpinfer::comm {
namespace {

TEST(LastWords, OneLineWithItsPrefix) {
  testing::internal::CaptureStderr();
  say("model.h5: two\nlines");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "tpinfer: model.h5: two lines\n");
}

TEST(LastWords, CleanupsRunOnceNewestFirstDespiteExceptions) {
  std::string done;
  add_cleanup([&] { done += "a"; });
  const int removed = add_cleanup([&] { done += "b"; });
  add_cleanup([] { throw std::runtime_error("no"); });
  add_cleanup([&] { done += "c"; });
  remove_cleanup(removed);
  run_cleanups();
  EXPECT_EQ(done, "ca");
  run_cleanups();
  EXPECT_EQ(done, "ca");
}

}  // namespace
}  // namespace tpinfer::comm
