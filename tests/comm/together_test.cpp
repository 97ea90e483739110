#include "comm/together.hpp"

#include <gtest/gtest.h>

#include <new>
#include <string>
#include <vector>

#include "comm/environment.hpp"
#include "comm/texts.hpp"
#include "tests/comm/world.hpp"

namespace tpinfer::comm {
namespace {

std::string outcome(const std::function<void()>& work) {
  try {
    together(world(), "load weights", work);
  } catch (const AgreedError& error) {
    return std::to_string(static_cast<int>(error.fault())) + " " + error.what();
  }
  return "";
}

bool equal_everywhere(const std::string& text) {
  for (const std::string& other : all_gather_texts(world(), text)) {
    if (other != text) return false;
  }
  return true;
}

TEST(Together, NothingFails) {
  EXPECT_EQ(outcome([] {}), "");
}

TEST(Together, OneRankFailsAllThrowTheSame) {
  const int last = world().size() - 1;
  const std::string text = outcome([&] {
    if (world().rank() == last) fail(Fault::data, "layers.3.wq: wanted 4096x512");
  });
  EXPECT_TRUE(equal_everywhere(text));
  const std::string where =
      last == 0 ? "" : "rank " + std::to_string(last) + " on " + host_name() + ": ";
  EXPECT_EQ(text, "65 load weights: " + where + "layers.3.wq: wanted 4096x512");
}

TEST(Together, TheHighestFaultWinsThenTheLowestRank) {
  if (world().size() < 4) return;
  const std::string text = outcome([&] {
    if (world().rank() == 0) fail(Fault::data, "data");
    if (world().rank() > 0 && world().rank() < 3) throw std::bad_alloc();
  });
  EXPECT_EQ(text,
            "71 load weights: rank 1 on " + host_name() + ": out of memory (and 2 other ranks)");
}

TEST(Together, OneOtherRank) {
  if (world().size() < 3) return;
  const std::string text = outcome([&] {
    if (world().rank() < 2) fail(Fault::io, "rank " + std::to_string(world().rank()));
  });
  EXPECT_EQ(text, "74 load weights: rank 0 on " + host_name() + ": rank 0 (and 1 other rank)");
}

TEST(Together, AllFailAlikeNobodyIsNamed) {
  EXPECT_EQ(outcome([] { fail(Fault::no_input, "cannot open model.h5"); }),
            "66 load weights: cannot open model.h5");
}

TEST(Together, LongTextsAreCut) {
  const std::string text = outcome([] { fail(Fault::data, std::string(100'000, 'x')); });
  EXPECT_LT(text.size(), 5000u);
}

TEST(Texts, AllGatherAndBroadcast) {
  const int me = world().rank();
  const auto texts = all_gather_texts(world(), std::string(static_cast<std::size_t>(me), 'a'));
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(world().size()));
  for (std::size_t r = 0; r < texts.size(); ++r) EXPECT_EQ(texts[r], std::string(r, 'a'));
  const int root = world().size() - 1;
  EXPECT_EQ(broadcast_text(world(), me == root ? "from the root" : "not this", root),
            "from the root");
  EXPECT_EQ(broadcast_text(world(), "", root), "");
}

}  // namespace
}  // namespace tpinfer::comm
