#include "shard/arrays/array_writer.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <limits>

#include "shard/arrays/npy_header.hpp"
#include "shard/arrays/output_file.hpp"
#include "shard/arrays/temporary_registry.hpp"
#include "tests/shard/array_files.hpp"

namespace tpinfer::shard {
namespace {

using namespace array_tests;

const std::vector<float> kSix{1, 2, 3, 4, 5, 6};
const std::vector<std::int64_t> kThree{-1, 0, std::numeric_limits<std::int64_t>::max()};

const std::vector<ArraySpec> kTwo{{"y", DType::f32, {3, 2}}, {"label", DType::i64, {3}}};

// Both arrays in turns, two rows and then one, as batches come.
void write_two(const std::string& path) {
  const auto writer = create_arrays(path, kTwo);
  writer->append(0, kSix.data(), 2);
  writer->append(1, kThree.data(), 2);
  writer->append(0, kSix.data() + 4, 1);
  writer->append(1, kThree.data() + 2, 1);
  writer->finish();
}

template <typename Action>
std::string failure(const Action& action) {
  try {
    action();
    return "0 ";
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.fault())) + " " + error.what();
  }
}

TEST(ArrayWriter, NpyIsWhatNumpyWrites) {
  const Folder folder;
  const auto writer = create_arrays(folder.file("y.npy"), {{"y", DType::f32, {3, 2}}});
  writer->append(0, kSix.data(), 1);
  writer->append(0, kSix.data() + 2, 2);
  EXPECT_FALSE(std::filesystem::exists(folder.file("y.npy")));
  writer->finish();
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"y.npy"}));
  const std::string bytes = bytes_of_file(folder.file("y.npy"));
  // numpy.save of NumPy 1.24
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00v\x00", 10));
  EXPECT_EQ(bytes.substr(10, 59), "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
  EXPECT_EQ(bytes.substr(69, 59), std::string(58, ' ') + '\n');
  EXPECT_EQ(bytes.substr(128), bytes_of(kSix));
}

TEST(ArrayWriter, SeveralArraysReadBack) {
  const Folder folder;
  for (const std::string name : {"out.npz", "out.h5", "out.hdf5"}) {
    const auto path = folder.file(name);
    write_two(path);
    EXPECT_EQ(read_all<float>(path, "y"), (std::vector<float>{1, 2, 3, 4, 5, 6})) << name;
    EXPECT_EQ(read_all<std::int64_t>(path, "label"), kThree) << name;
    EXPECT_EQ(open_array(path, "y")->shape, (Shape{3, 2})) << name;
  }
}

TEST(ArrayWriter, ScalarsAndEmptyArrays) {
  const Folder folder;
  const std::vector<ArraySpec> specs{{"s", DType::f32, {}}, {"e", DType::f32, {0, 4}}};
  const float seven = 7;
  for (const std::string name : {"a.npz", "a.h5", "a.json"}) {
    const auto writer = create_arrays(folder.file(name), specs);
    writer->append(0, &seven, 1);
    writer->append(1, nullptr, 0);
    writer->finish();
    if (name == "a.json") continue;
    EXPECT_EQ(read_all<float>(folder.file(name), "s"), (std::vector<float>{7})) << name;
    EXPECT_EQ(open_array(folder.file(name), "e")->shape, (Shape{0, 4})) << name;
  }
  EXPECT_EQ(
      bytes_of_file(folder.file("a.json")),
      "{\"schema\": 1, \"outputs\": {\"s\": {\"dtype\": \"float32\", \"shape\": [], \"data\": "
      "[7.0]}, \"e\": {\"dtype\": \"float32\", \"shape\": [0, 4], \"data\": []}}}\n");
}

TEST(ArrayWriter, JsonText) {
  const Folder folder;
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{-48,      0.1F,      std::numeric_limits<float>::quiet_NaN(),
                                  infinity, -infinity, 1e-5F};
  const std::vector<std::uint8_t> flags{1, 0};
  const auto writer = create_arrays(folder.file("a.json"),
                                    {{"y", DType::f32, {3, 2}}, {"a\"b\n", DType::boolean, {2}}});
  writer->append(0, values.data(), 1);
  writer->append(1, flags.data(), 1);
  writer->append(0, values.data() + 2, 2);
  writer->append(1, flags.data() + 1, 1);
  writer->finish();
  EXPECT_EQ(
      bytes_of_file(folder.file("a.json")),
      "{\"schema\": 1, \"outputs\": {\"y\": {\"dtype\": \"float32\", \"shape\": [3, 2], "
      "\"data\": [-48.0, 0.1, \"nan\", \"inf\", \"-inf\", 1e-05]}, \"a\\\"b\\n\": {\"dtype\": "
      "\"bool\", \"shape\": [2], \"data\": [true, false]}}}\n");
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"a.json"}));
}

TEST(ArrayWriter, RefusesWrongUse) {
  const Folder folder;
  EXPECT_TRUE(
      fails(failure([&] { create_arrays(folder.file("y.npy"), kTwo); }), 64, {"y, label", ".npz"}));
  EXPECT_TRUE(fails(failure([&] { create_arrays(folder.file("y.csv"), kTwo); }), 64,
                    {".npy, .npz, .h5 (.hdf5) or .json"}));
  const auto writer = create_arrays(folder.file("y.npz"), kTwo);
  EXPECT_TRUE(fails(failure([&] { writer->append(0, kSix.data(), 4); }), 70, {}));
  writer->append(0, kSix.data(), 2);
  EXPECT_TRUE(fails(failure([&] { writer->finish(); }), 70, {"2 of 3 rows of output y"}));
}

TEST(ArrayWriter, CannotCreate) {
  const Folder folder;
  std::filesystem::create_directory(folder.file("d.npy"));
  for (const std::string name : {"none/y.npy", "none/y.h5", "none/y.json", "d.npy"}) {
    EXPECT_TRUE(fails(failure([&] {
                        create_arrays(folder.file(name), {{"y", DType::f32, {1}}});
                      }),
                      73, {name}));
  }
}

TEST(ArrayWriter, LeavesTheOldFileUntilTheEnd) {
  const Folder folder;
  for (const std::string name : {"y.npy", "y.npz", "y.h5", "y.json"}) {
    folder.write(name, "old");
    {
      const auto writer = create_arrays(folder.file(name), {{"y", DType::f32, {3, 2}}});
      writer->append(0, kSix.data(), 2);
      EXPECT_EQ(bytes_of_file(folder.file(name)), "old");
    }
    EXPECT_EQ(bytes_of_file(folder.file(name)), "old");
    const auto writer = create_arrays(folder.file(name), {{"y", DType::f32, {3, 2}}});
    writer->append(0, kSix.data(), 3);
    writer->finish();
    EXPECT_NE(bytes_of_file(folder.file(name)), "old");
  }
  EXPECT_EQ(folder.names().size(), 4U);
}

TEST(ArrayWriter, WritesBehindSymbolicLinks) {
  const Folder folder;
  folder.write("real.npy", "old");
  std::filesystem::create_symlink("real.npy", folder.file("link.npy"));
  const auto writer = create_arrays(folder.file("link.npy"), {{"y", DType::f32, {1}}});
  writer->append(0, kSix.data(), 1);
  writer->finish();
  EXPECT_TRUE(std::filesystem::is_symlink(folder.file("link.npy")));
  EXPECT_EQ(read_all<float>(folder.file("real.npy")), (std::vector<float>{1}));
}

// A limit on the size of files stands in for a full disk.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST(ArrayWriter, FullDisk) {
  const Folder folder;
  const std::vector<float> row(100000, 0.123F);
  for (const std::string name : {"y.npy", "y.npz", "y.h5", "y.json"}) {
    folder.write(name, "old");
    const FileLimit limit(200000);
    EXPECT_TRUE(fails(
        failure([&] {
          const auto writer = create_arrays(folder.file(name), {{"y", DType::f32, {1, 100000}}});
          writer->append(0, row.data(), 1);
          writer->finish();
        }),
        74, {name, "File too large"}));
    EXPECT_EQ(bytes_of_file(folder.file(name)), "old");
  }
  {
    const FileLimit limit(100);  // not even room for the structure
    EXPECT_TRUE(fails(failure([&] {
                        create_arrays(folder.file("z.h5"), {{"y", DType::f32, {3}}});
                      }),
                      74, {"z.h5"}));
  }
  EXPECT_EQ(folder.names().size(), 4U);
}

TEST(OutputFile, RegisteredTemporariesAreRemoved) {
  const Folder folder;
  const auto path = folder.write("y.npy.tmp", "half");
  const auto kept = folder.write("z", "whole");
  const int place = register_temporary(path);
  ASSERT_GE(place, 0);
  forget_temporary(register_temporary(kept));
  remove_temporaries();
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"z"}));
  forget_temporary(place);
}

}  // namespace
}  // namespace tpinfer::shard
