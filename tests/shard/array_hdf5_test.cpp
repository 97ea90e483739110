#include <gtest/gtest.h>
#include <hdf5.h>

#include <functional>
#include <numeric>

#include "shard/arrays/array_reader.hpp"
#include "tests/shard/array_files.hpp"

namespace tpinfer::shard {
namespace {

using namespace array_tests;

std::vector<float> counting(std::size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 0.0F);
  return values;
}

// A file whose content `fill` makes.
std::string hdf5(const Folder& folder, const std::string& name,
                 const std::function<void(hid_t file)>& fill) {
  const std::string path = folder.file(name);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  fill(file);
  H5Fclose(file);
  return path;
}

void add(hid_t file, const char* name, const std::vector<hsize_t>& extents,
         const std::vector<float>& values, hid_t creation = H5P_DEFAULT,
         hid_t type = H5T_IEEE_F32LE) {
  const hid_t space =
      extents.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  if (!values.empty()) {
    H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  }
  H5Dclose(dataset);
  H5Sclose(space);
}

TEST(Hdf5Array, ReadsContiguousRowsAndScalars) {
  const Folder folder;
  const auto path = hdf5(folder, "a", [](hid_t file) {
    add(file, "x", {3, 2}, counting(6));
    add(file, "s", {}, {7});
    H5Gclose(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    add(file, "g/x", {2}, {8, 9});
  });
  const auto reader = open_array(path + ":/x", "");
  EXPECT_EQ(reader->shape, (Shape{3, 2}));
  EXPECT_EQ(read<float>(*reader, {1, 3}), (std::vector<float>{2, 3, 4, 5}));
  EXPECT_EQ(read<float>(*reader, {3, 3}), (std::vector<float>{}));
  EXPECT_EQ(read_all<float>(path + ":/s"), (std::vector<float>{7}));
  EXPECT_EQ(read_all<float>(path + ":/g/x"), (std::vector<float>{8, 9}));
  EXPECT_EQ(read_all<float>(path + ":g/x"), (std::vector<float>{8, 9}));
  EXPECT_EQ(read_all<float>(path, "s"), (std::vector<float>{7}));
  EXPECT_TRUE(fails(outcome(path, "y"), 65, {"holds: s, x"}));
  EXPECT_TRUE(fails(outcome(path + ":/y"), 65, {"no 'y'"}));
  EXPECT_TRUE(fails(outcome(path + ":/x/y"), 65, {"not a group"}));
  EXPECT_TRUE(fails(outcome(path + ":/g"), 65, {"not a dataset"}));
  EXPECT_TRUE(fails(outcome(path + ":/"), 65, {}));
}

TEST(Hdf5Array, ReadsChunksInSlabs) {
  const Folder folder;
  constexpr hsize_t kRows = 1100;
  constexpr hsize_t kColumns = 1300;  // 5.7 MB: two slabs
  const auto values = counting(kRows * kColumns);
  const auto path = hdf5(folder, "a", [&](hid_t file) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[] = {100, 700};
    H5Pset_chunk(creation, 2, chunk);
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 1);
    H5Pset_fletcher32(creation);
    add(file, "x", {kRows, kColumns}, values, creation);
    H5Pclose(creation);
  });
  EXPECT_EQ(read_all<float>(path), values);
  const auto reader = open_array(path, "x");
  EXPECT_EQ(read<float>(*reader, {150, 151}),
            std::vector<float>(values.begin() + 150 * kColumns, values.begin() + 151 * kColumns));
}

TEST(Hdf5Array, RefusesWhatIsNotInTheFile) {
  const Folder folder;
  const auto other = folder.write("other", std::string(24, 'x'));
  const auto path = hdf5(folder, "a", [&](hid_t file) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, other.c_str(), 0, 24);
    add(file, "external", {3, 2}, {}, creation);
    H5Pclose(creation);
    H5Lcreate_external(folder.file("other.h5").c_str(), "/x", file, "elsewhere", H5P_DEFAULT,
                       H5P_DEFAULT);
    H5Lcreate_soft("/external", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    add(file, "unwritten", {3, 2}, {});
    const hid_t string = H5Tcopy(H5T_C_S1);
    H5Tset_size(string, 4);
    add(file, "text", {3}, {}, H5P_DEFAULT, string);
    H5Tclose(string);
    add(file, "big_endian", {2}, {1, 2}, H5P_DEFAULT, H5T_IEEE_F32BE);
  });
  EXPECT_TRUE(fails(outcome(path + ":/external"), 65, {"external"}));
  EXPECT_TRUE(fails(outcome(path + ":/elsewhere"), 65, {"link"}));
  EXPECT_TRUE(fails(outcome(path + ":/soft"), 65, {"link"}));
  EXPECT_TRUE(fails(outcome(path + ":/unwritten"), 65, {"never written"}));
  EXPECT_TRUE(fails(outcome(path + ":/text"), 65, {"string"}));
  EXPECT_TRUE(fails(outcome(path + ":/big_endian"), 65, {"big-endian"}));
}

TEST(Hdf5Array, RefusesTruncatedFiles) {
  const Folder folder;
  const auto path = hdf5(folder, "a", [](hid_t file) { add(file, "x", {3, 2}, counting(6)); });
  const std::string whole = bytes_of_file(path);
  for (std::size_t length = 8; length < whole.size(); length += 61) {
    EXPECT_TRUE(fails(outcome(folder.write("t", whole.substr(0, length)) + ":/x"), 65, {}));
  }
}

}  // namespace
}  // namespace tpinfer::shard
