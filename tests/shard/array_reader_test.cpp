#include "shard/arrays/array_reader.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zip.h>
#include <zlib.h>

#include <bit>
#include <random>

#include "shard/arrays/npy_header.hpp"
#include "tests/shard/array_files.hpp"

namespace tpinfer::shard {
namespace {

using namespace array_tests;

const std::vector<float> kSix{1, 2, 3, 4, 5, 6};

std::string gzipped(const Folder& folder, const std::string& name, const std::string& bytes) {
  const std::string path = folder.file(name);
  const gzFile out = gzopen(path.c_str(), "wb");
  gzwrite(out, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(out);
  return path;
}

std::string zipped(const Folder& folder, const std::string& name,
                   const std::vector<std::pair<std::string, std::string>>& members,
                   zip_int32_t method) {
  const std::string path = folder.file(name);
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  for (const auto& [member, bytes] : members) {
    zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    const zip_int64_t index = zip_file_add(archive, member.c_str(), source, ZIP_FL_ENC_UTF_8);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0);
  }
  EXPECT_EQ(zip_close(archive), 0);
  return path;
}

TEST(Npy, ReadsEveryVersionAndRowRange) {
  const Folder folder;
  for (int major : {1, 2, 3}) {
    const auto path = folder.write("a", npy(dict("'<f4'", "(3, 2)"), bytes_of(kSix), major));
    const auto reader = open_array(path, "x");
    EXPECT_EQ(reader->dtype, DType::f32);
    EXPECT_EQ(reader->shape, (Shape{3, 2}));
    EXPECT_EQ(read<float>(*reader, {1, 3}), (std::vector<float>{3, 4, 5, 6}));
    EXPECT_EQ(read<float>(*reader, {0, 1}), (std::vector<float>{1, 2}));
    EXPECT_EQ(read<float>(*reader, {2, 2}), (std::vector<float>{}));
    EXPECT_THROW(read<float>(*reader, {2, 4}), Error);
  }
}

TEST(Npy, KnowsTheElementTypes) {
  const Folder folder;
  const std::vector<std::pair<std::string, DType>> types{
      {"'<f4'", DType::f32},  {"'<f8'", DType::f64}, {"'<f2'", DType::f16},
      {"'|i1'", DType::i8},   {"'|u1'", DType::u8},  {"'<i2'", DType::i16},
      {"'<u2'", DType::u16},  {"'<i4'", DType::i32}, {"'<u4'", DType::u32},
      {"'<i8'", DType::i64},  {"'<u8'", DType::u64}, {"'|b1'", DType::boolean},
      {"\"=i4\"", DType::i32}};
  for (const auto& [descr, dtype] : types) {
    const std::string data(2 * size_of(dtype), '\1');
    EXPECT_EQ(open_array(folder.write("a", npy(dict(descr, "(2,)"), data)), "x")->dtype, dtype)
        << descr;
  }
}

TEST(Npy, ConvertsBigEndianAndBooleans) {
  const Folder folder;
  EXPECT_EQ(read_all<std::int32_t>(folder.write(
                "a", npy(dict("'>i4'", "(2,)"), std::string("\0\0\1\2\xff\xff\xff\xfe", 8)))),
            (std::vector<std::int32_t>{258, -2}));
  EXPECT_EQ(read_all<std::uint8_t>(
                folder.write("b", npy(dict("'|b1'", "(3,)"), std::string("\0\1\7", 3)))),
            (std::vector<std::uint8_t>{0, 1, 1}));
}

TEST(Npy, ReadsScalarsAndEmptyArrays) {
  const Folder folder;
  const auto scalar = folder.write("a", npy(dict("'<f4'", "()"), bytes_of<float>({7})));
  EXPECT_EQ(open_array(scalar, "x")->rows(), 1);
  EXPECT_EQ(read_all<float>(scalar), (std::vector<float>{7}));
  EXPECT_EQ(read_all<float>(folder.write("b", npy(dict("'<f4'", "(0, 3)"), ""))),
            (std::vector<float>{}));
  EXPECT_EQ(read_all<float>(folder.write("c", npy(dict("'<f4'", "(3, 0)"), ""))),
            (std::vector<float>{}));
}

TEST(Npy, AcceptsFortranOrderOnlyWhereItChangesNothing) {
  const Folder folder;
  const auto write = [&](const std::string& shape) {
    return outcome(folder.write("a", npy(dict("'<f4'", shape, "True"), bytes_of(kSix))));
  };
  EXPECT_EQ(write("(6,)"), "0 ");
  EXPECT_EQ(write("(1, 6, 1)"), "0 ");
  EXPECT_TRUE(fails(write("(3, 2)"), 65, {"fortran_order", "(3,2)", "ascontiguousarray"}));
}

TEST(Npy, RefusesHostileHeaders) {
  const Folder folder;
  const auto refused = [&](const std::string& header, const std::string& reason) {
    EXPECT_TRUE(
        fails(outcome(folder.write("a.npy", npy(header, bytes_of(kSix)))), 65, {"a.npy", reason}))
        << header;
  };
  refused(dict("'|O'", "(1,)"), "Python objects");
  refused(dict("'<c8'", "(1,)"), "'<c8'");
  refused(dict("'|f4'", "(1,)"), "'|f4'");
  refused(dict("[('a', '<f4'), ('b', '<i4')]", "(1,)"), "structured");
  refused(dict("('<f4', (2,))", "(1,)"), "structured");
  refused(dict("'<f4'", "(7,)"), "needs 28 bytes of data, the file has 24");
  refused(dict("'<f4'", "(-1,)"), "negative");
  refused(dict("'<f4'", "(6)"), "tuple");
  refused(dict("'<f4'", "(99999999999999999999,)"), "2^63");
  refused(dict("'<f4'", "(4611686018427387904, 4)"), "overflows");
  refused(dict("'<f4'", "(4611686018427387904,)"), "overflows");
  refused(dict("'<f4'", "(__import__('os').system('true'),)"), "tuple");
  refused(dict("'<f4'", "(1,)", "0"), "expected");
  refused(dict("'<f4'", "(1,)", "'no'"), "'fortran_order'");
  refused("{'descr': '<f4', 'shape': (1,)}", "no 'fortran_order'");
  refused("{'descr': '<f4', 'descr': '<f4'}", "twice");
  refused("{'extra': True, 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "unknown key");
  refused(dict("'<f4'", "(1,)") + "x", "after the closing brace");
  refused("{'descr': '<f4", "does not end");
  refused("{'descr': [[[[", "does not end");
  refused("", "'{' expected");
  std::string many = "(";
  for (int i = 0; i < 33; ++i) many += "1, ";
  refused(dict("'<f4'", many + ")"), "more than 32 dimensions");
  const auto file = [&](const std::string& bytes) { return outcome(folder.write("a.npy", bytes)); };
  EXPECT_TRUE(fails(file(npy("", "", 4)), 65, {"version 4.0"}));
  EXPECT_TRUE(fails(file(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12)), 65, {"at most 65536"}));
}

TEST(Npy, RefusesEveryTruncation) {
  const Folder folder;
  const std::string whole = npy_header(DType::f32, {3, 2}) + bytes_of(kSix);
  ASSERT_EQ(outcome(folder.write("a", whole)), "0 ");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_TRUE(fails(outcome(folder.write("a", whole.substr(0, length))), 65, {})) << length;
  }
}

TEST(Arrays, SurviveFlippedBytes) {
  const Folder folder;
  const std::string member = npy_header(DType::f32, {3, 2}) + bytes_of(kSix);
  const std::vector<std::string> wholes{
      member, std::string("\0\0\x0d\2\0\0\0\3\0\0\0\2", 12) + bytes_of(kSix),
      bytes_of_file(gzipped(folder, "g", member)),
      bytes_of_file(zipped(folder, "z", {{"x.npy", member}}, ZIP_CM_STORE)),
      bytes_of_file(zipped(folder, "z", {{"x.npy", member}}, ZIP_CM_DEFLATE))};
  std::mt19937 random(1);
  for (const std::string& whole : wholes) {
    for (int trial = 0; trial < 400; ++trial) {
      std::string damaged = whole;
      for (int flips = trial % 3; flips >= 0; --flips) {
        damaged[random() % damaged.size()] = static_cast<char>(random());
      }
      const std::string result = outcome(folder.write("a", damaged));
      EXPECT_TRUE(result.starts_with("0 ") || result.starts_with("65 ")) << result;
    }
  }
}

TEST(Idx, ReadsPlainAndGzip) {
  const Folder folder;
  const std::string bytes = std::string("\0\0\x08\2\0\0\0\3\0\0\0\2", 12) + "abcdef";
  for (const auto& path : {folder.write("idx", bytes), gzipped(folder, "idx.gz", bytes)}) {
    const auto reader = open_array(path, "x");
    EXPECT_EQ(reader->dtype, DType::u8);
    EXPECT_EQ(reader->shape, (Shape{3, 2}));
    EXPECT_EQ(read<std::uint8_t>(*reader, {1, 3}), (std::vector<std::uint8_t>{'c', 'd', 'e', 'f'}));
    EXPECT_EQ(read<std::uint8_t>(*reader, {0, 2}),
              (std::vector<std::uint8_t>{'a', 'b', 'c', 'd'}));  // back
  }
  EXPECT_EQ(read_all<float>(folder.write("f", std::string("\0\0\x0d\1\0\0\0\1\x3f\xc0\0\0", 12))),
            (std::vector<float>{1.5F}));
  EXPECT_EQ(
      read_all<std::int16_t>(folder.write("s", std::string("\0\0\x0b\1\0\0\0\1\xff\xfe", 10))),
      (std::vector<std::int16_t>{-2}));
  EXPECT_TRUE(fails(outcome(folder.write("t", bytes.substr(0, 15))), 65,
                    {"needs 6 bytes of data, the file has 3"}));
  EXPECT_TRUE(fails(outcome(folder.write("h", bytes.substr(0, 7))), 65, {"truncated"}));
}

TEST(Gzip, FindsDamage) {
  const Folder folder;
  std::vector<std::uint8_t> noise(100000);
  std::mt19937 random(2);
  for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
  const std::string member = npy_header(DType::u8, {1000, 100}) + bytes_of(noise);
  const auto path = gzipped(folder, "a.npy.gz", member);
  EXPECT_EQ(read_all<std::uint8_t>(path), noise);
  const std::string whole = bytes_of_file(path);
  EXPECT_TRUE(
      fails(outcome(folder.write("t", whole.substr(0, whole.size() / 2))), 65, {"truncated"}));
  std::string wrong_checksum = whole;
  wrong_checksum[whole.size() - 8] ^= 1;
  EXPECT_TRUE(fails(outcome(folder.write("c", wrong_checksum)), 65, {"damaged"}));
}

TEST(Npz, ChoosesTheArray) {
  const Folder folder;
  const std::string a = npy_header(DType::f32, {1}) + bytes_of<float>({1});
  const std::string b = npy_header(DType::f32, {1}) + bytes_of<float>({2});
  for (const zip_int32_t method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const auto two =
        zipped(folder, "two.npz", {{"a.npy", a}, {"b.npy", b}, {"n.txt", "?"}}, method);
    EXPECT_EQ(read_all<float>(two, "b"), (std::vector<float>{2}));
    EXPECT_EQ(read_all<float>(two + ":a", "b"), (std::vector<float>{1}));
    EXPECT_EQ(read_all<float>(two + ":a.npy", "b"), (std::vector<float>{1}));
    EXPECT_TRUE(fails(outcome(two), 65, {"holds: a, b"}));
    EXPECT_TRUE(fails(outcome(two + ":c"), 65, {"no array 'c'"}));
    EXPECT_EQ(read_all<float>(zipped(folder, "one.npz", {{"q.npy", b}}, method)),
              (std::vector<float>{2}));
  }
  EXPECT_TRUE(
      fails(outcome(zipped(folder, "none.npz", {{"q.txt", "x"}}, ZIP_CM_STORE)), 65, {"no array"}));
}

TEST(Npz, GoesBackAndFindsDamage) {
  const Folder folder;
  const std::string member = npy_header(DType::f32, {3, 2}) + bytes_of(kSix);
  const auto path = zipped(folder, "a.npz", {{"x.npy", member}}, ZIP_CM_DEFLATE);
  const auto reader = open_array(path, "x");
  EXPECT_EQ(read<float>(*reader, {2, 3}), (std::vector<float>{5, 6}));
  EXPECT_EQ(read<float>(*reader, {0, 1}), (std::vector<float>{1, 2}));
  std::string damaged = bytes_of_file(zipped(folder, "a.npz", {{"x.npy", member}}, ZIP_CM_STORE));
  damaged[damaged.find(bytes_of(kSix))] ^= 1;
  EXPECT_TRUE(fails(outcome(folder.write("a.npz", damaged)), 65, {"CRC"}));
}

TEST(Source, MissingUnreadableAndForeignFiles) {
  const Folder folder;
  EXPECT_TRUE(fails(outcome(folder.file("no.npy")), 66, {"no.npy", "No such file"}));
  EXPECT_TRUE(fails(outcome(folder.file("no.h5:/x")), 66, {"no.h5: "}));
  EXPECT_TRUE(fails(outcome(folder.file("")), 66, {}));
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(fails(outcome(folder.file("pipe")), 66, {}));
  EXPECT_TRUE(fails(outcome(folder.write("text.npy", "1 2 3\n")), 65, {"not an array file"}));
  EXPECT_TRUE(fails(outcome(folder.write("empty.npy", "")), 65, {"empty"}));
  const std::string array = npy_header(DType::f32, {3, 2}) + bytes_of(kSix);
  EXPECT_EQ(outcome(folder.write("with:colon.npy", array)), "0 ");
  EXPECT_TRUE(fails(outcome(folder.write("a.npy", array) + ":x"), 65, {"leave out ':x'"}));
}

}  // namespace
}  // namespace tpinfer::shard
