// The check in a process of its own: with the real helper, and with scripts that fail like it.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "shard/file/model_writer.hpp"
#include "shard/file/preflight.hpp"
#include "shard/file/scan.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

class PreflightTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("tpinfer_" + std::string(test->name()) + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }
  void write_bytes(const std::string& name, const std::string& bytes) {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }

  std::string good_model() {
    ModelContents contents;
    contents.graphs = {{"main", R"({"inputs":[],"outputs":["y"],
      "nodes":[{"op":"Neg","inputs":["w"],"outputs":["y"]}]})"}};
    contents.weights.push_back(tensor_of("w", {4, 3}, std::vector<float>(12, 1.5f)));
    write_model(path("m.h5"), contents);
    return path("m.h5");
  }

  // Stands in for the helper: a shell script.
  std::string script(const std::string& body) {
    write_bytes("helper", "#!/bin/sh\n" + body + "\n");
    ::chmod(path("helper").c_str(), 0755);
    return path("helper");
  }
  std::string preflight_failure(const std::string& body, Fault fault) {
    try {
      preflight("model.h5", script(body));
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), fault) << error.what();
      return error.what();
    }
    return "nothing was thrown";
  }

  fs::path folder_;
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The real helper, in the folder that the tests' environment names.
std::string real_helper() {
  const char* folder = std::getenv("TPINFER_BIN");
  const std::string helper = std::string(folder == nullptr ? "." : folder) + "/tpinfer-preflight";
  return ::access(helper.c_str(), X_OK) == 0 ? helper : "";
}

#define SKIP_WITHOUT_HELPER(helper)                                                  \
  if (helper.empty()) {                                                              \
    ASSERT_EQ(std::getenv("CI"), nullptr) << "TPINFER_BIN has no tpinfer-preflight"; \
    GTEST_SKIP() << "TPINFER_BIN has no tpinfer-preflight";                          \
  }

// A flip is refused, or meets a byte that the table does not depend on, or changes a number that
// only the manifest can judge. The HDF5 library does crash on some of these files: in the helper.
TEST_F(PreflightTest, SeededBitFlips) {
  const std::string helper = real_helper();
  SKIP_WITHOUT_HELPER(helper);
  const std::string good = bytes_of(good_model());
  std::mt19937 random(20240917);
  int refused = 0;
  for (int i = 0; i < 120; ++i) {
    std::string bad = good;
    // Most bytes are padding between aligned datasets; flips are aimed at those that are not.
    std::size_t at = random() % bad.size();
    while (bad[at] == 0) at = (at + 1) % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 << (random() % 8)));
    write_bytes("flip.h5", bad);
    try {
      preflight(path("flip.h5"), helper);
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::data) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 30);
}

TEST_F(PreflightTest, RealHelper) {
  const std::string helper = real_helper();
  SKIP_WITHOUT_HELPER(helper);
  const std::string model = good_model();
  EXPECT_EQ(preflight(model, helper), scan_model(model));
  try {
    preflight(folder_, helper);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::no_input);
  }
}

TEST_F(PreflightTest, PassesTheTableOn) {
  const std::string model = good_model();
  write_bytes("answer.json", preflight_answer(model));
  EXPECT_EQ(preflight(model, script("cat " + path("answer.json"))), scan_model(model));
  write_bytes("answer.json", preflight_answer(path("absent.h5")));
  EXPECT_HAS(preflight_failure("cat " + path("answer.json"), Fault::no_input), "No such file");
}

TEST_F(PreflightTest, Crashes) {
  EXPECT_HAS(preflight_failure("kill -SEGV $$", Fault::data),
             "model.h5: the HDF5 library crashed on it (signal 11)");
  EXPECT_HAS(preflight_failure("echo '{'; kill -ABRT $$", Fault::data), "signal 6");
  EXPECT_HAS(preflight_failure("kill -XCPU $$", Fault::data), "more than 10 s");
  EXPECT_HAS(preflight_failure("exit 3", Fault::data), "without an answer (status 3)");
  EXPECT_HAS(preflight_failure("echo '[1]'", Fault::data), "without an answer");
  EXPECT_HAS(preflight_failure("echo '{}'", Fault::internal), "cannot be read");
}

TEST_F(PreflightTest, Missing) {
  try {
    preflight("model.h5", path("no_such_helper"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::config);
  }
}

TEST_F(PreflightTest, CleanEnvironment) {
  ::setenv("HDF5_PLUGIN_PATH", "/planted", 1);
  const std::string text =
      preflight_failure(R"(printf '{"fault":65,"text":"%s."}' "$HDF5_PLUGIN_PATH")", Fault::data);
  ::unsetenv("HDF5_PLUGIN_PATH");
  EXPECT_EQ(text, ".");
}

}  // namespace
}  // namespace tpinfer::shard
