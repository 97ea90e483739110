// Writing, scanning and reading models.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string>

#include "kernels/base/error.hpp"
#include "kernels/base/sha256.hpp"
#include "kernels/formats/decode.hpp"
#include "shard/file/model_file.hpp"
#include "shard/file/model_writer.hpp"
#include "shard/file/scan.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

const char* const kGraph = R"({"inputs":[],"outputs":["y"],
  "nodes":[{"op":"Neg","inputs":["w"],"outputs":["y"]}]})";

// A folder of its own for each test, removed at the end.
class ModelFileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("tpinfer_" + std::string(test->name()) + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

  fs::path folder_;
};

template <typename T>
TensorSource raw_tensor(const std::string& name, DType dtype, Shape shape, std::vector<T> values) {
  return {name,
          dtype,
          std::move(shape),
          [values](void* out) { std::memcpy(out, values.data(), values.size() * sizeof(T)); },
          0,
          0};
}

std::vector<float> ramp(std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

ModelContents small_model() {
  ModelContents contents;
  contents.graphs = {{"prefill", kGraph}, {"decode", kGraph}};
  contents.weights.push_back(tensor_of("w", {5, 4, 3}, ramp(60)));
  contents.weights.push_back(tensor_of("block/shape", {2}, std::vector<std::int64_t>{0, -1}));
  contents.weights.push_back(tensor_of("scale", {}, std::vector<float>{0.25f}));
  contents.weights.push_back(
      raw_tensor<std::uint16_t>("half", DType::f16, {3}, {0x3c00, 0x8001, 0xfc00}));
  contents.weights.push_back(
      raw_tensor<std::uint16_t>("brain", DType::bf16, {2}, {0x3f80, 0xc000}));
  contents.weights.push_back(raw_tensor<double>("wide", DType::f64, {2}, {0.1, -1e300}));
  contents.weights.push_back(raw_tensor<unsigned char>("flags", DType::boolean, {3}, {0, 1, 2}));
  contents.weights.push_back(raw_tensor<unsigned char>("bytes", DType::u8, {2}, {7, 255}));
  contents.weights.push_back(raw_tensor<float>("empty", DType::f32, {0, 3}, {}));
  ExampleSource example;
  example.graph = "decode";
  example.inputs.push_back(tensor_of("x", {2}, ramp(2)));
  example.outputs.push_back(tensor_of("y", {2}, ramp(2)));
  example.outputs.back().rtol = 1e-5;
  contents.examples.push_back(example);
  return contents;
}

template <typename T>
std::vector<T> read_box(ModelFile& file, const std::string& dataset, const Box& box) {
  std::vector<T> values(static_cast<std::size_t>(element_count(box.extent)));
  file.read(dataset, box, values.data());
  return values;
}

template <typename T>
std::vector<T> read_whole(ModelFile& file, const std::string& dataset) {
  return read_box<T>(file, dataset, whole_box(file.shape(dataset)));
}

std::string sample_hash(const std::string& path) {
  return scan_model(path).files.at(0).identity.sample_hash;
}

TEST_F(ModelFileTest, WriteScanRead) {
  write_model(path("m.h5"), small_model());
  const ModelTable table = scan_model(path("m.h5"));
  ASSERT_EQ(table.weights.size(), 9u);
  EXPECT_EQ(table.weights[0].name, "block/shape");
  ASSERT_EQ(table.graphs.size(), 2u);
  EXPECT_EQ(table.graphs[0].name, "prefill");  // by index, not by name
  EXPECT_EQ(table.graphs[1].json, kGraph);
  ASSERT_EQ(table.examples.size(), 1u);
  EXPECT_EQ(table.examples[0].graph, "decode");
  EXPECT_EQ(table.examples[0].outputs[0].rtol, 1e-5);
  EXPECT_TRUE(table.unused.empty());
  EXPECT_EQ(table.manifest.at("w"), sha256_hex(ramp(60).data(), 240));
  EXPECT_EQ(parse_model_table(to_json(table)), table);

  ModelFile file(table);
  EXPECT_EQ(read_whole<float>(file, "/weights/w"), ramp(60));
  EXPECT_EQ(read_whole<std::int64_t>(file, "/weights/block/shape"),
            (std::vector<std::int64_t>{0, -1}));
  EXPECT_EQ(read_whole<float>(file, "/weights/scale"), std::vector<float>{0.25f});
  EXPECT_EQ(read_whole<float>(file, "/weights/half"),
            (std::vector<float>{1.0f, -0x1p-24f, -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(read_whole<float>(file, "/weights/brain"), (std::vector<float>{1.0f, -2.0f}));
  EXPECT_EQ(read_whole<float>(file, "/weights/wide"),
            (std::vector<float>{0.1f, -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(read_whole<unsigned char>(file, "/weights/flags"),
            (std::vector<unsigned char>{0, 1, 1}));
  EXPECT_EQ(read_whole<float>(file, "/examples/0/inputs/x"), ramp(2));
  EXPECT_TRUE(read_whole<float>(file, "/weights/empty").empty());
  EXPECT_EQ(file.compute_dtype("/weights/brain"), DType::f32);
  EXPECT_EQ(file.compute_dtype("/weights/flags"), DType::boolean);
}

TEST_F(ModelFileTest, ReadsOnlyItsBoxes) {
  write_model(path("m.h5"), small_model());
  ModelFile file(scan_model(path("m.h5")));
  std::size_t bytes = 0;
  for (std::int64_t i = 0; i < 5; ++i) {
    for (std::int64_t j = 0; j < 4; ++j) {
      for (std::int64_t k = 0; k < 3; ++k) {
        const Box box{{i, j, k}, {5 - i, 4 - j, 3 - k}};
        const auto values = read_box<float>(file, "/weights/w", box);
        std::size_t at = 0;
        for (std::int64_t a = i; a < 5; ++a) {
          for (std::int64_t b = j; b < 4; ++b) {
            for (std::int64_t c = k; c < 3; ++c) {
              ASSERT_EQ(values[at++], static_cast<float>(a * 12 + b * 3 + c));
            }
          }
        }
        bytes += values.size() * 4;
        ASSERT_EQ(file.bytes_read(), bytes);
      }
    }
  }
  EXPECT_TRUE(read_box<float>(file, "/weights/w", {{5, 0, 0}, {0, 4, 3}}).empty());
  EXPECT_EQ(file.bytes_read(), bytes);
  for (const Box& box : {Box{{0, 0, 0}, {6, 4, 3}}, Box{{-1, 0, 0}, {1, 4, 3}}, Box{{0}, {1}},
                         Box{{1, 0, 0}, {INT64_MAX, 4, 3}}}) {
    EXPECT_THROW(read_box<float>(file, "/weights/w", {box.offset, box.extent}), Error);
  }
  EXPECT_THROW(file.shape("/weights/absent"), Error);
}

TEST_F(ModelFileTest, LargeTensorInSlabs) {
  ModelContents contents;
  contents.graphs = {{"main", kGraph}};
  const Shape shape = {1300, 2000};  // 10 MB, 5 MB as float16
  contents.weights.push_back(tensor_of("w", shape, ramp(2'600'000)));
  std::vector<std::uint16_t> halves(2'600'000);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i % 31000);
  contents.weights.push_back(raw_tensor("h", DType::f16, shape, halves));
  write_model(path("m.h5"), contents);
  const ModelTable table = scan_model(path("m.h5"));
  for (const TensorInfo& weight : table.weights)
    EXPECT_EQ(weight.sources.at(0).data.offset % 4096, 0u) << weight.name;
  ModelFile file(table);
  EXPECT_EQ(read_whole<float>(file, "/weights/w"), ramp(2'600'000));
  const auto floats = read_whole<float>(file, "/weights/h");
  for (std::size_t i = 0; i < halves.size(); ++i) {
    ASSERT_EQ(floats[i], kernels::float_of_half(halves[i])) << i;
  }
}

TEST_F(ModelFileTest, EqualContentsEqualBytes) {
  write_model(path("a.h5"), small_model());
  write_model(path("b.h5"), small_model());
  EXPECT_EQ(sample_hash(path("a.h5")), sample_hash(path("b.h5")));
}

TEST_F(ModelFileTest, WritingIsAtomic) {
  write_model(path("m.h5"), small_model());
  const std::string before = sample_hash(path("m.h5"));
  ModelContents broken = small_model();
  broken.weights.push_back(tensor_of("w/below", {1}, ramp(1)));  // "w" is a dataset already
  EXPECT_THROW(write_model(path("m.h5"), broken), Error);
  broken = small_model();
  broken.weights.back().shape = {1};
  broken.weights.back().fill = [](void*) { fail(Fault::io, "the source went away"); };
  EXPECT_THROW(write_model(path("m.h5"), broken), Error);
  EXPECT_EQ(sample_hash(path("m.h5")), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
  try {
    write_model(path("absent/m.h5"), small_model());
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::cannot_create);
  }
}

TEST_F(ModelFileTest, AnotherFileThanTheChecked) {
  write_model(path("m.h5"), small_model());
  const ModelTable table = scan_model(path("m.h5"));
  ModelTable other = table;
  std::string& hash = other.files[0].identity.sample_hash;
  const std::string real = hash;
  hash[0] = hash[0] == '0' ? '1' : '0';
  try {
    ModelFile file(other);
    read_whole<float>(file, "/weights/w");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::disagreement);
    EXPECT_NE(std::string(error.what()).find(real.substr(0, 12)), std::string::npos);
  }
}

TEST_F(ModelFileTest, ChangedWhileLoading) {
  write_model(path("m.h5"), small_model());
  ModelFile file(scan_model(path("m.h5")));
  read_whole<float>(file, "/weights/w");
  EXPECT_NO_THROW(file.check_unchanged());
  ASSERT_EQ(::truncate(path("m.h5").c_str(), 600), 0);
  EXPECT_THROW(file.check_unchanged(), Error);
  try {
    read_whole<float>(file, "/weights/w");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::data);
    EXPECT_NE(std::string(error.what()).find("changed while loading"), std::string::npos);
  }
}

TEST(Decode, EveryHalf) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = kernels::float_of_half(static_cast<std::uint16_t>(bits));
    const int exponent = static_cast<int>((bits >> 10) & 31);
    const double fraction = bits & 1023;
    double want =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) want = std::numeric_limits<double>::infinity();
    if ((bits & 0x8000) != 0) want = -want;
    if (exponent == 31 && fraction != 0) {
      ASSERT_TRUE(std::isnan(value)) << bits;
    } else {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(value),
                std::bit_cast<std::uint32_t>(static_cast<float>(want)))
          << bits;
    }
  }
}

TEST(Decode, RoundsDoublesToNearestEven) {
  const std::vector<double> in = {1.0 + 0x1p-24, 1.0 + 0x1.8p-23, 0x1.000001000001p0, 1e-46, -0.0};
  std::vector<float> out(in.size());
  kernels::decode(DType::f64, in.data(), out.data(), 5);
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], 1.0f + 0x1p-22f);
  EXPECT_EQ(out[2], 1.0f + 0x1p-23f);
  EXPECT_EQ(out[3], 0.0f);
  EXPECT_TRUE(std::signbit(out[4]));
}

}  // namespace
}  // namespace tpinfer::shard
