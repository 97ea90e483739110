#include "launch/requests/line_queue.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "kernels/base/error.hpp"
#include "launch/requests/request_file.hpp"

namespace tpinfer::launch {
namespace {

class File {
 public:
  explicit File(const std::string& text) : path_(::testing::TempDir() + "lines_XXXXXX") {
    ::close(::mkstemp(path_.data()));
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~File() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::string> lines_of(const std::string& text, std::size_t limit) {
  const File file(text);
  LineQueue queue(file.path(), 2, limit);
  std::vector<std::string> all;
  for (;;) {
    while (!queue.wait(std::chrono::milliseconds(100))) {
    }
    const std::vector<Line> taken = queue.take(3);
    if (taken.empty()) return all;
    for (const Line& line : taken) {
      all.push_back(line.too_long > 0 ? std::to_string(line.too_long) : line.text);
    }
  }
}

using Lines = std::vector<std::string>;

TEST(LineQueue, SplitsLines) {
  EXPECT_EQ(lines_of("", 9), Lines{});
  EXPECT_EQ(lines_of("\n \r\n\t\n", 9), Lines{});
  EXPECT_EQ(lines_of("a\nb\r\n\nc", 9), (Lines{"a", "b", "c"}));
  EXPECT_EQ(lines_of(std::string("a\0b\n", 4), 9), Lines{std::string("a\0b", 3)});
}

TEST(LineQueue, MeasuresLinesThatAreTooLong) {
  EXPECT_EQ(lines_of("123456789\n123456789\r\n1234567890\nx\n", 9),
            (Lines{"123456789", "123456789", "10", "x"}));
  EXPECT_EQ(lines_of(std::string(1000000, 'x') + "\nab", 9), (Lines{"1000000", "ab"}));
  EXPECT_EQ(lines_of(std::string(1000000, ' '), 9), Lines{"1000000"});
}

TEST(LineQueue, LosesNothingWhenNobodyTakes) {
  std::string text;
  Lines want;
  for (int i = 0; i < 5000; ++i) {
    want.push_back("line " + std::to_string(i));
    text += want.back() + "\n";
  }
  EXPECT_EQ(lines_of(text, 64), want);
}

// The lines that wait for somebody to take them.
std::size_t lines_held(std::size_t most_lines, std::size_t most_bytes) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "12345\n";
  const File file(text);
  LineQueue queue(file.path(), most_lines, most_bytes);
  EXPECT_TRUE(queue.wait(std::chrono::seconds(10)));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // to read more than it may
  return queue.take(50).size();
}

TEST(LineQueue, HoldsNoMoreThanItMay) {
  EXPECT_LE(lines_held(3, 1000), 3U);
  EXPECT_LE(lines_held(100, 9), 2U);
}

// A job that is resumed counts its requests in advance.
TEST(LineQueue, AndRequestFileCountTheSameLines) {
  for (const std::string text :
       {"", "\n", "a", "a\n", "a\n\nb", " \t\r\n\r\nc\r\n", "123456789\r\n1234567890\r\n",
        "          \n         \nx", "          \r\n         \r\n", "\r", "1234567890"}) {
    const File file(text);
    EXPECT_EQ(static_cast<std::size_t>(read_request_file(file.path(), 9).requests),
              lines_of(text, 9).size())
        << text;
  }
}

TEST(LineQueue, EndsWhileLinesAreUnread) {
  const File file("a\nb\nc\nd\ne\n");
  LineQueue queue(file.path(), 1, 9);
  EXPECT_TRUE(queue.wait(std::chrono::seconds(10)));
}

TEST(LineQueue, EndsWhileNobodyWritesIntoItsPipe) {
  const std::string path = ::testing::TempDir() + "pipe_" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  {
    LineQueue queue(path, 1, 9);
    EXPECT_FALSE(queue.wait(std::chrono::milliseconds(150)));
  }
  std::remove(path.c_str());
}

TEST(LineQueue, RefusesWhatIsNoFile) {
  EXPECT_THROW(LineQueue("/dev/null", 1, 1), Error);
  EXPECT_THROW(LineQueue("/nonexistent/requests", 1, 1), Error);
  EXPECT_THROW(LineQueue("/", 1, 1), Error);
}

}  // namespace
}  // namespace tpinfer::launch
