// Hostile and damaged model files: each is refused quickly, with a reason, and nothing crashes.
#define H5_USE_110_API
#include <fcntl.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "kernels/base/error.hpp"
#include "shard/file/hdf5.hpp"
#include "shard/file/model_file.hpp"
#include "shard/file/model_writer.hpp"
#include "shard/file/scan.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

const char* const kGraph = R"({"inputs":[],"outputs":["y"],
  "nodes":[{"op":"Neg","inputs":["w"],"outputs":["y"]}]})";

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

class ScanTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("tpinfer_" + std::string(test->name()) + std::to_string(::getpid()));
    fs::create_directories(folder_);
    quiet_hdf5();
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }

  // A good model, and what `spoil` does to it through the HDF5 library.
  std::string spoilt(const std::function<void(hid_t file)>& spoil) {
    const std::string file_path = path("m.h5");
    ModelContents contents;
    contents.graphs = {{"main", kGraph}};
    contents.weights.push_back(tensor_of("w", {4, 3}, std::vector<float>(12, 1.5f)));
    write_model(file_path, contents);
    const hid_t file = H5Fopen(file_path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    EXPECT_GE(file, 0);
    spoil(file);
    EXPECT_GE(H5Fclose(file), 0);
    return file_path;
  }

  void write_bytes(const std::string& name, const std::string& bytes) {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }

  fs::path folder_;
};

std::string failure(const std::string& path, Fault fault = Fault::data, const Limits& limits = {}) {
  const auto begin = std::chrono::steady_clock::now();
  std::string text = "nothing was thrown";
  try {
    scan_model(path, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), fault) << error.what();
    text = error.what();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3)) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  return text;
}

// A dataset "/weights/x" of this type and shape.
void add_dataset(hid_t file, hid_t type, const std::vector<hsize_t>& shape, hid_t creation) {
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t dataset =
      H5Dcreate2(file, "/weights/x", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  EXPECT_GE(dataset, 0);
  H5Dclose(dataset);
  H5Sclose(space);
}

TEST_F(ScanTest, MissingAndUnreadable) {
  EXPECT_HAS(failure(path("absent.h5"), Fault::no_input), "No such file");
  EXPECT_HAS(failure(folder_, Fault::no_input), "it is a folder");
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_HAS(failure(path("fifo"), Fault::no_input), "it is a named pipe");
}

TEST_F(ScanTest, NotHdf5) {
  write_bytes("empty", "");
  EXPECT_HAS(failure(path("empty")), "not an HDF5 file (0 bytes)");
  write_bytes("seven", "\x89HDF\r\n\x1a");
  EXPECT_HAS(failure(path("seven")), "not an HDF5 file (7 bytes)");
  write_bytes("zip", "PK\x03\x04 and more");
  EXPECT_HAS(failure(path("zip")), "zip archive");
  write_bytes("text", "import numpy\n");
  EXPECT_HAS(failure(path("text")), "looks like text");
  write_bytes("signature", "\x89HDF\r\n\x1a\n");
  EXPECT_HAS(failure(path("signature")), "truncated");
}

TEST_F(ScanTest, GoodFileThroughHdf5) {
  const ModelTable table = scan_model(spoilt([](hid_t) {}));
  EXPECT_EQ(table.weights.size(), 1u);
}

TEST_F(ScanTest, Format) {
  EXPECT_HAS(failure(spoilt([](hid_t file) { H5Adelete(file, "format"); })), "not a tpinfer model");
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               const std::int64_t version = 2;
               const hid_t attribute = H5Aopen(file, "format_version", H5P_DEFAULT);
               H5Awrite(attribute, H5T_NATIVE_INT64, &version);
               H5Aclose(attribute);
             })),
             "format version 2 is newer than version 1");
  EXPECT_HAS(failure(spoilt([](hid_t file) { H5Adelete(file, "format_version"); })), "missing");
  EXPECT_HAS(failure(spoilt([](hid_t file) { H5Ldelete(file, "graphs", H5P_DEFAULT); })),
             "no graph");
  EXPECT_HAS(failure(spoilt([](hid_t file) { H5Ldelete(file, "/weights/w", H5P_DEFAULT); })),
             "/manifest: names the weight w");
}

TEST_F(ScanTest, Links) {
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               H5Lcreate_soft("/weights/w", file, "/weights/s", H5P_DEFAULT, H5P_DEFAULT);
             })),
             "/weights/s: a soft link is not allowed");
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               H5Lcreate_soft("/weights/s", file, "/weights/s", H5P_DEFAULT, H5P_DEFAULT);
             })),
             "soft link");
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               H5Lcreate_external("other.h5", "/w", file, "/weights/e", H5P_DEFAULT, H5P_DEFAULT);
             })),
             "/weights/e: an external link is not allowed");
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               H5Lcreate_hard(file, "/weights", file, "/weights/again", H5P_DEFAULT, H5P_DEFAULT);
             })),
             "/weights/again: a second hard link to a group");
}

TEST_F(ScanTest, OneDatasetMayHaveTwoNames) {
  const ModelTable table = scan_model(spoilt([](hid_t file) {
    H5Lcreate_hard(file, "/weights/w", file, "/weights/tied", H5P_DEFAULT, H5P_DEFAULT);
  }));
  EXPECT_EQ(table.weights.size(), 2u);
}

TEST_F(ScanTest, BytesOfOtherFiles) {
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
               H5Pset_external(creation, "/etc/passwd", 0, 16);
               add_dataset(file, H5T_IEEE_F32LE, {4}, creation);
               H5Pclose(creation);
             })),
             "/weights/x: external storage is not allowed");
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
               const hsize_t extent = 4;
               const hid_t space = H5Screate_simple(1, &extent, nullptr);
               H5Pset_virtual(creation, space, "../other.h5", "/w", space);
               add_dataset(file, H5T_IEEE_F32LE, {4}, creation);
               H5Sclose(space);
               H5Pclose(creation);
             })),
             "/weights/x: a mapping names the file ../other.h5");
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
               const hsize_t extent = 4;
               const hid_t space = H5Screate_simple(1, &extent, nullptr);
               H5Pset_virtual(creation, space, "other.h5", "/w", space);
               const hid_t dataset = H5Dcreate2(file, "/outside", H5T_IEEE_F32LE, space,
                                                H5P_DEFAULT, creation, H5P_DEFAULT);
               H5Dclose(dataset);
               H5Sclose(space);
               H5Pclose(creation);
             })),
             "/outside: a virtual dataset is not allowed");
}

TEST_F(ScanTest, Shapes) {
  const auto with_shape = [&](const std::vector<hsize_t>& shape) {
    return failure(
        spoilt([&](hid_t file) { add_dataset(file, H5T_IEEE_F32LE, shape, H5P_DEFAULT); }));
  };
  const auto with_chunks = [&](const std::vector<hsize_t>& shape) {
    return failure(spoilt([&](hid_t file) {  // HDF5 creates these shapes only in chunks
      const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
      const std::vector<hsize_t> chunk(shape.size(), 1);
      H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
      add_dataset(file, H5T_IEEE_F32LE, shape, creation);
      H5Pclose(creation);
    }));
  };
  const hsize_t two32 = hsize_t{1} << 32;
  EXPECT_HAS(with_chunks({two32 / 2, two32 / 2, 4}), "overflows");
  EXPECT_HAS(with_chunks({two32 / 2, two32 / 2}), "overflows");
  EXPECT_HAS(with_chunks({two32, two32 - 1}), "overflows");
  EXPECT_HAS(with_shape({hsize_t{1} << 40, 1 << 20}), "the file has");
  EXPECT_HAS(with_shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), "more than the limit of 8");
  EXPECT_HAS(with_shape({4}), "was never written");
  Limits planning;
  planning.allow_unallocated = true;
  EXPECT_NO_THROW(scan_model(
      spoilt([](hid_t file) { add_dataset(file, H5T_IEEE_F32LE, {4}, H5P_DEFAULT); }), planning));
}

TEST_F(ScanTest, Types) {
  const auto with_type = [&](hid_t type) {
    return failure(spoilt([&](hid_t file) { add_dataset(file, type, {4}, H5P_DEFAULT); }));
  };
  EXPECT_HAS(with_type(H5T_IEEE_F64BE), "big-endian float of 8 bytes");
  EXPECT_HAS(with_type(H5T_STD_REF_OBJ), "a reference");
  EXPECT_HAS(with_type(H5T_C_S1), "a string");
  const hid_t compound = H5Tcreate(H5T_COMPOUND, 8);
  H5Tinsert(compound, "a", 0, H5T_IEEE_F32LE);
  EXPECT_HAS(with_type(compound), "a compound type");
  H5Tclose(compound);
  const hid_t variable = H5Tvlen_create(H5T_IEEE_F32LE);
  EXPECT_HAS(with_type(variable), "variable-length");
  H5Tclose(variable);
  const hid_t odd = H5Tcopy(H5T_STD_I32LE);
  H5Tset_precision(odd, 17);
  EXPECT_HAS(with_type(odd), "unusual integer");
  H5Tclose(odd);
}

// A chunked dataset; writes `written` rows of zeros when there is something to write.
void add_chunked(hid_t file, hsize_t rows, hsize_t chunk, hsize_t written,
                 const std::function<void(hid_t creation)>& filters) {
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 1, &chunk);
  filters(creation);
  add_dataset(file, H5T_IEEE_F32LE, {rows}, creation);
  H5Pclose(creation);
  if (written == 0) return;
  const hid_t dataset = H5Dopen2(file, "/weights/x", H5P_DEFAULT);
  const hid_t space = H5Dget_space(dataset);
  const hsize_t start = 0;
  H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, nullptr, &written, nullptr);
  const hid_t memory = H5Screate_simple(1, &written, nullptr);
  std::vector<float> values(written);
  for (std::size_t i = 0; i < std::min<std::size_t>(written, 1000); ++i) {
    values[i] = static_cast<float>(i);
  }
  EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values.data()), 0);
  H5Sclose(memory);
  H5Sclose(space);
  H5Dclose(dataset);
}

TEST_F(ScanTest, Chunks) {
  const auto deflate = [](hid_t creation) { H5Pset_deflate(creation, 9); };
  EXPECT_HAS(failure(spoilt([&](hid_t file) { add_chunked(file, 1000, 10, 500, deflate); })),
             "only 50 of its 100 chunks");
  EXPECT_HAS(failure(spoilt([&](hid_t file) {
               add_chunked(file, 20 << 20, 20 << 20, 20 << 20, [](hid_t creation) {
                 H5Pset_deflate(creation, 9);
                 H5Pset_deflate(creation, 9);
               });
             })),
             "filter 1 is applied twice");
  EXPECT_HAS(failure(spoilt(
                 [&](hid_t file) { add_chunked(file, 40 << 20, 40 << 20, 40 << 20, deflate); })),
             "more than 1000 times");
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               add_chunked(file, 100, 10, 0, [](hid_t creation) { H5Pset_nbit(creation); });
             })),
             "filter 5 is not allowed");
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               add_chunked(file, 100, 10, 0, [](hid_t creation) {
                 H5Pset_filter(creation, 32099, H5Z_FLAG_OPTIONAL, 0, nullptr);
               });
             })),
             "filter 32099 is not allowed");
}

TEST_F(ScanTest, GoodChunksAreRead) {
  const std::string file_path = spoilt([](hid_t file) {
    add_chunked(file, 1000, 96, 1000, [](hid_t creation) {
      H5Pset_shuffle(creation);
      H5Pset_deflate(creation, 6);
      H5Pset_fletcher32(creation);
    });
  });
  ModelFile file(scan_model(file_path));
  std::vector<float> values(500);
  file.read("/weights/x", {{300}, {500}}, values.data());
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<float>(300 + i));
  EXPECT_EQ(file.bytes_read(), 2000u);
}

TEST_F(ScanTest, DepthAndCount) {
  EXPECT_HAS(failure(spoilt([](hid_t file) {
               std::string group = "/weights";
               for (int level = 0; level < 50; ++level) {
                 group += "/g";
                 H5Gclose(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
               }
             })),
             "deeper than the limit of 8");
  Limits few;
  few.objects = 20;
  EXPECT_HAS(
      failure(spoilt([](hid_t file) {
                for (int i = 0; i < 30; ++i) {
                  const std::string name = "/weights/g" + std::to_string(i);
                  H5Gclose(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
                }
              }),
              Fault::data, few),
      "more than 20 objects");
}

void replace_text(hid_t file, const char* name, const std::string& text) {
  H5Ldelete(file, name, H5P_DEFAULT);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const char* pointer = text.c_str();
  EXPECT_GE(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &pointer), 0);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(type);
}

TEST_F(ScanTest, Texts) {
  const auto with = [&](const char* name, const std::string& text) {
    return failure(spoilt([&](hid_t file) { replace_text(file, name, text); }));
  };
  EXPECT_HAS(with("/graphs/main", "{"), "/graphs/main: not valid JSON");
  EXPECT_HAS(with("/graphs/main", std::string(100'000, '[')), "nested deeper than 32");
  EXPECT_HAS(with("/graphs/main", std::string(17 << 20, ' ')), "longer than");
  EXPECT_HAS(with("/manifest", "{\"weights\":{\"w\":1}}"), "not a SHA-256");
  EXPECT_HAS(with("/manifest", "{\"weights\":{},\"weights\":{}}"), "occurs twice");
  EXPECT_HAS(with("/manifest", "{\"weights\":{},\"version\":2}"), "must be");
  // A variable-length graph, as h5py writes it, is as good as ours.
  EXPECT_NO_THROW(
      scan_model(spoilt([](hid_t file) { replace_text(file, "/graphs/main", kGraph); })));
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST_F(ScanTest, EveryTruncation) {
  const std::string good = bytes_of(spoilt([](hid_t) {}));
  for (std::size_t i = 0; i < 200; ++i) {
    write_bytes("cut.h5", good.substr(0, good.size() * i / 200));
    failure(path("cut.h5"));
  }
  EXPECT_HAS(failure(path("cut.h5")), "truncated");
}

}  // namespace
}  // namespace tpinfer::shard
