#include "launch/instances/cores.hpp"

#include <gtest/gtest.h>

#include "kernels/base/error.hpp"
#include "launch/instances/launch_options.hpp"

namespace tpinfer::launch {
namespace {

using Parts = std::vector<std::vector<int>>;

TEST(Cores, AreDividedAsEquallyAsTheyCome) {
  EXPECT_EQ(divide_cores({0, 1, 2, 3}, 2), (Parts{{0, 1}, {2, 3}}));
  EXPECT_EQ(divide_cores({4, 5, 6}, 2), (Parts{{4}, {5, 6}}));
  EXPECT_EQ(divide_cores({4, 5}, 3), (Parts{{4}, {5}, {4}}));
}

TEST(Cores, ListsAreReadAndWritten) {
  const std::vector<int> allowed{0, 1, 2, 3, 7};
  EXPECT_EQ(parse_cores("7,0-2", allowed), (std::vector<int>{7, 0, 1, 2}));
  EXPECT_EQ(cores_text({7, 0, 1, 2}), "0-2,7");
  EXPECT_EQ(cores_text({3}), "3");
  for (const char* text : {"", "a", "1,", ",1", "2-1", "-1", "1-", "0,0", "0-2,1", "4", "0-7",
                           "1 2", "99999999999999999999", "0x1"}) {
    EXPECT_THROW(parse_cores(text, allowed), Error) << text;
  }
}

TEST(Cores, OursAreSome) { EXPECT_FALSE(allowed_cores().empty()); }

LaunchOptions parsed(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tpinfer-launch");
  return parse_launch(static_cast<int>(arguments.size()), arguments.data()).options;
}

TEST(LaunchOptions, CommandsOfInstances) {
  const LaunchOptions o =
      parsed({"-k", "3", "-n", "2", "--mpirun", "run 'a b' --x=\"\"", "--program", "/p", "--",
              "--report", "r-{instance}{instance}.json", "--"});
  EXPECT_EQ(command_of(o, 12, 4), (std::vector<std::string>{"run", "a b", "--x=", "-n", "2", "/p",
                                                            "--report", "r-1212.json", "--"}));
  const LaunchOptions plain = parsed({"-n", "2", "--requests", "-", "--program", "/p", "--"});
  EXPECT_EQ(command_of(plain, 0, 1),
            (std::vector<std::string>{"mpirun", "-q", "--bind-to", "none", "--oversubscribe", "-n",
                                      "2", "/p", "--requests", "-", "--output", ""}));
  EXPECT_EQ(command_of(plain, 0, 2)[4], "-n");
}

TEST(LaunchOptions, Refused) {
  const std::vector<std::vector<const char*>> all{{"-k", "0", "--"},
                                                  {"-k", "x", "--"},
                                                  {"-n", "0", "--"},
                                                  {"-k", "2"},
                                                  {"--restart", "always", "--"},
                                                  {"--restart", "on-failure:", "--"},
                                                  {"--restart", "on-failure:-1", "--"},
                                                  {"--restart", "on-failure:1x", "--"},
                                                  {"--output", "f", "--"},
                                                  {"--requests", "-", "--", "--requests", "f"},
                                                  {"--requests", "-", "--", "--output=f"},
                                                  {"--mpirun", "", "-n", "2", "--"},
                                                  {"--strange", "--"},
                                                  {"word", "--"}};
  for (const auto& arguments : all) {
    try {
      const LaunchOptions o = parsed(arguments);
      ADD_FAILURE() << arguments[0] << " " << arguments[1];
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::usage) << error.what();
    }
  }
  EXPECT_THROW(words_of("mpirun 'a"), Error);
  EXPECT_EQ(parsed({"--restart", "on-failure", "--"}).restarts, 3);
  EXPECT_EQ(parsed({"--restart", "on-failure:7", "--"}).restarts, 7);
}

}  // namespace
}  // namespace tpinfer::launch
