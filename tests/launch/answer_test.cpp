#include "launch/requests/answer.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace tpinfer::launch {
namespace {

std::string refusal(const Request& request, const std::vector<std::string>& outputs) {
  try {
    const Encoding encoding = choose_encoding(request, outputs);
    if (encoding.kind == Encoding::Kind::file) file_name(encoding, request.id, 0, outputs[0]);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Answer, NestsListsLikeTheShape) {
  std::vector<float> values{-48, 1e-5F, 0.1F, 1e16F};
  const auto json = [&](const Shape& shape) {
    return tensor_json({values.data(), DType::f32, shape}, Encoding::Kind::list, "");
  };
  EXPECT_EQ(json({2, 2}),
            R"({"dtype":"float32","shape":[2,2],"data":[[-48.0,1e-05],[0.1,1e+16]]})");
  EXPECT_EQ(json({}), R"({"dtype":"float32","shape":[],"data":-48.0})");
  EXPECT_EQ(json({0, 3}), R"({"dtype":"float32","shape":[0,3],"data":[]})");
  EXPECT_EQ(json({2, 0}), R"({"dtype":"float32","shape":[2,0],"data":[[],[]]})");
}

TEST(Answer, EmptyListsTakeMemoryToo) {
  const auto bytes = [](const Shape& shape, Encoding::Kind kind) {
    return text_bytes({nullptr, DType::f32, shape}, kind);
  };
  constexpr std::int64_t kMany = std::int64_t{1} << 40;
  EXPECT_GE(bytes({kMany, 0}, Encoding::Kind::list), std::size_t{3} << 40);
  EXPECT_GE(bytes({2, kMany, 0}, Encoding::Kind::list), std::size_t{6} << 40);
  EXPECT_EQ(bytes({std::int64_t{1} << 62, 0}, Encoding::Kind::list),
            std::numeric_limits<std::size_t>::max());
  EXPECT_LT(bytes({0, kMany}, Encoding::Kind::list), 100U);
  EXPECT_LT(bytes({kMany, 0}, Encoding::Kind::base64), 100U);
  EXPECT_GE(bytes({3, 5}, Encoding::Kind::list), 15U * 16);
}

TEST(Answer, WritesWhatJsonHasNoNumberForAsText) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  std::vector<float> values{std::numeric_limits<float>::quiet_NaN(), kInf, -kInf};
  EXPECT_EQ(tensor_json({values.data(), DType::f32, {3}}, Encoding::Kind::list, ""),
            R"({"dtype":"float32","shape":[3],"data":["nan","inf","-inf"]})");
  std::vector<std::uint8_t> truths{1, 0};
  EXPECT_EQ(tensor_json({truths.data(), DType::boolean, {2}}, Encoding::Kind::list, ""),
            R"({"dtype":"bool","shape":[2],"data":[true,false]})");
  EXPECT_EQ(tensor_json({truths.data(), DType::u8, {2}}, Encoding::Kind::base64, ""),
            R"({"dtype":"uint8","shape":[2],"b64":"AQA="})");
}

TEST(Answer, QuotesAnything) {
  EXPECT_EQ(error_json(Fault::data, "a\"b\n\xff"), "{\"code\":65,\"message\":\"a\\\"b\\n\ufffd\"}");
}

TEST(Answer, FileNamesAreOneForEachOutputAndStayInTheirFolder) {
  Request request;
  request.instances.resize(1);
  request.id = "\"r/1\"";
  request.encoding = "{id}.npy";
  EXPECT_NE(refusal(request, {"y"}), "");
  for (const char* id : {"\"\"", "\"..\"", "\".x\"", "\"{output}\"", "\"a\\u0000b\""}) {
    request.id = id;
    EXPECT_NE(refusal(request, {"y"}), "") << id;
  }
  request.id = "17";
  EXPECT_EQ(refusal(request, {"y"}), "");
  EXPECT_NE(refusal(request, {"y", "z"}).find("{output}"), std::string::npos);
  request.encoding = "out/{id}-{output}.npy";
  EXPECT_EQ(file_name(choose_encoding(request, {"y", "z"}), request.id, 0, "z"), "out/17-z.npy");
  EXPECT_NE(refusal(request, {"../y"}), "");
  request.instances.resize(2);
  EXPECT_NE(refusal(request, {"y"}).find("{instance}"), std::string::npos);
  request.encoding = "y.bin";
  EXPECT_NE(refusal(request, {"y"}).find("unknown encoding"), std::string::npos);
}

}  // namespace
}  // namespace tpinfer::launch
