// Keras models become graphs that compute what Keras published.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kernels/base/error.hpp"
#include "shard/file/model_writer.hpp"
#include "shard/file/scan.hpp"
#include "shard/import/graph_builder.hpp"
#include "shard/import/importer.hpp"
#include "shard/import/keras_config.hpp"
#include "shard/import/keras_layers.hpp"
#include "shard/import/keras_weights.hpp"
#include "shard/plan/graph.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

// The folder of models with known answers, or "" where it is absent.
std::string models_folder() {
  const char* folder = std::getenv("TPINFER_MODELS");
  return folder != nullptr && fs::exists(fs::path(folder) / "keras_fixtures") ? folder : "";
}

#define SKIP_WITHOUT_MODELS(folder)                                          \
  if (folder.empty()) {                                                      \
    ASSERT_EQ(std::getenv("CI"), nullptr) << "TPINFER_MODELS has no models"; \
    GTEST_SKIP() << "TPINFER_MODELS has no models";                          \
  }

struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;
  double& at(std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>(i * columns + j)];
  }
};

Matrix matmul(Matrix a, Matrix b) {
  Matrix c{a.rows, b.columns, std::vector<double>(static_cast<std::size_t>(a.rows * b.columns))};
  for (std::int64_t i = 0; i < a.rows; ++i) {
    for (std::int64_t k = 0; k < a.columns; ++k) {
      for (std::int64_t j = 0; j < b.columns; ++j) c.at(i, j) += a.at(i, k) * b.at(k, j);
    }
  }
  return c;
}

Matrix softmax(Matrix x) {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    double most = -INFINITY, sum = 0;
    for (std::int64_t j = 0; j < x.columns; ++j) most = std::max(most, x.at(i, j));
    for (std::int64_t j = 0; j < x.columns; ++j) sum += x.at(i, j) = std::exp(x.at(i, j) - most);
    for (std::int64_t j = 0; j < x.columns; ++j) x.at(i, j) /= sum;
  }
  return x;
}

// With rows and columns of one broadcast.
Matrix binary(Matrix a, Matrix b, const std::function<double(double, double)>& f) {
  for (std::int64_t i = 0; i < a.rows; ++i) {
    for (std::int64_t j = 0; j < a.columns; ++j) {
      a.at(i, j) = f(a.at(i, j), b.at(b.rows == 1 ? 0 : i, b.columns == 1 ? 0 : j));
    }
  }
  return a;
}

// The few operators of the networks below, in float64.
Matrix compute(const Node& node, const std::vector<Matrix>& in) {
  const auto unary = [&](double (*f)(double)) {
    Matrix out = in[0];
    for (double& value : out.values) value = f(value);
    return out;
  };
  if (node.op == "MatMul") return matmul(in[0], in[1]);
  if (node.op == "Softmax") return softmax(in[0]);
  if (node.op == "Relu") return unary([](double x) { return x > 0 ? x : 0; });
  if (node.op == "Exp") return unary(std::exp);
  if (node.op == "Log") return unary(std::log);
  if (node.op == "Abs") return unary(std::fabs);
  if (node.op == "Neg") return unary([](double x) { return -x; });
  if (node.op == "Add") return binary(in[0], in[1], std::plus<>());
  if (node.op == "Sub") return binary(in[0], in[1], std::minus<>());
  if (node.op == "Mul") return binary(in[0], in[1], std::multiplies<>());
  ADD_FAILURE() << "operator " << node.op;
  return in[0];
}

Graph graph_of(const ModelContents& contents) {
  std::vector<std::string> weights;
  for (const TensorSource& weight : contents.weights) weights.push_back(weight.name);
  return parse_graph("main", contents.graphs.at(0).json, weights);
}

Matrix run(const ModelContents& contents, const Matrix& input) {
  const Graph graph = graph_of(contents);
  std::map<std::string, Matrix> tensors;
  for (const TensorSource& weight : contents.weights) {
    if (weight.dtype != DType::f32) continue;
    std::vector<float> values(static_cast<std::size_t>(element_count(weight.shape)));
    weight.fill(values.data());
    const auto columns = weight.shape.empty() ? 1 : weight.shape.back();
    const auto rows = weight.shape.size() < 2 ? 1 : weight.shape[0];
    tensors[weight.name] = {rows, columns, {values.begin(), values.end()}};
  }
  for (const ValueSpec& spec : graph.inputs) tensors[spec.name] = input;
  for (const Node& node : graph.nodes) {
    std::vector<Matrix> in;
    for (const std::string& name : node.inputs) in.push_back(tensors.at(name));
    tensors[node.outputs[0]] = compute(node, in);
  }
  return tensors.at(graph.outputs.at(0));
}

std::string ops_of(const ModelContents& contents) {
  std::string ops;
  for (const Node& node : graph_of(contents).nodes) ops += (ops.empty() ? "" : " ") + node.op;
  return ops;
}

std::string message_of(const std::function<void()>& action, Fault fault = Fault::data) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), fault) << error.what();
    return error.what();
  }
  return "nothing was thrown";
}

TEST(KerasImport, WholeModels) {
  const std::string models = models_folder();
  SKIP_WITHOUT_MODELS(models);
  const auto relu = import_model(models + "/keras_fixtures/ReLU_0_model.h5", {});
  EXPECT_EQ(ops_of(relu.contents), "MatMul Add Relu");
  const Graph graph = graph_of(relu.contents);
  EXPECT_EQ(graph.inputs[0].name, "dense_input");
  EXPECT_EQ(graph.inputs[0].shape, (std::vector<Extent>{{0, "batch"}, {16, ""}}));
  EXPECT_EQ(graph.outputs, std::vector<std::string>{"re_lu_1"});
  EXPECT_EQ(relu.contents.weights[0].name, "dense/kernel");
  const auto mlp =
      import_model(models + "/keras_fixtures/simple_sparse_xent_mlp_keras_2_model.h5", {});
  EXPECT_EQ(ops_of(mlp.contents), "MatMul Add Softmax");
}

TEST(KerasImport, JetTagger) {
  const std::string models = models_folder();
  SKIP_WITHOUT_MODELS(models);
  const auto model = import_model(models + "/jet_tagger/KERAS_3layer_weights.h5",
                                  {models + "/jet_tagger/KERAS_3layer.json"});
  EXPECT_EQ(ops_of(model.contents),
            "MatMul Add Relu MatMul Add Relu MatMul Add Relu MatMul Add Softmax");
  const auto golden = nlohmann::json::parse(std::ifstream(models + "/golden/KERAS_3layer.json"));
  for (std::size_t i = 0; i < golden["inputs"].size(); ++i) {
    const Matrix got = run(model.contents, {1, 16, golden["inputs"][i]});
    const std::vector<double> want = golden["probs"][i];
    ASSERT_EQ(got.values.size(), want.size());
    for (std::size_t j = 0; j < want.size(); ++j) EXPECT_NEAR(got.values[j], want[j], 1e-14);
  }
}

// The numbers in a file with text around them ("[0.1 2e-3 ...]").
std::vector<double> numbers_in(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  std::string all = text.str();
  for (char& c : all) {
    if (std::string("0123456789+-.eE").find(c) == std::string::npos) c = ' ';
  }
  std::istringstream stream(all);
  std::vector<double> numbers;
  for (double number; stream >> number;) numbers.push_back(number);
  return numbers;
}

TEST(KerasImport, MnistMlp) {
  const std::string models = models_folder();
  SKIP_WITHOUT_MODELS(models);
  const std::string base = models + "/mnist_mlp/KERAS_mnist_mlp";
  const auto model = import_model(base + "_weights.h5", {base + ".json"});
  ASSERT_EQ(model.notes.size(), 1u);
  EXPECT_HAS(model.notes[0], "dropout_1, dropout_2");
  const auto inputs = numbers_in(base + "_inputs.dat");
  const auto outputs = numbers_in(base + "_outputs.dat");
  ASSERT_EQ(inputs.size() / 784, outputs.size() / 10);
  ASSERT_GE(outputs.size(), 10u);
  const auto rows = static_cast<std::int64_t>(outputs.size() / 10);
  const Matrix got = run(model.contents, {rows, 784, inputs});
  for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_NEAR(got.values[i], outputs[i], 1e-6);
}

TEST(KerasImport, WritesAModelFile) {
  const std::string models = models_folder();
  SKIP_WITHOUT_MODELS(models);
  const std::string path = fs::temp_directory_path() / ("keras" + std::to_string(::getpid()));
  write_model(path, import_model(models + "/keras_fixtures/ReLU_0_model.h5", {}).contents);
  const ModelTable table = scan_model(path);
  fs::remove(path);
  EXPECT_EQ(table.weights.at(1).name, "dense/kernel");
  EXPECT_EQ(table.weights.at(1).shape, (Shape{16, 32}));
}

TEST(KerasImport, Refusals) {
  const std::string models = models_folder();
  SKIP_WITHOUT_MODELS(models);
  const std::string weights = models + "/mnist_mlp/KERAS_mnist_mlp_weights.h5";
  EXPECT_HAS(message_of([&] { import_model(weights, {}); }, Fault::usage), "--config");
  EXPECT_HAS(message_of([&] { import_model("/no/such/file", {}); }, Fault::no_input), "No such");
  EXPECT_HAS(message_of([&] { import_model(models + "/mnist_mlp/KERAS_mnist_mlp.json", {}); }),
             "unknown format; known: keras");
  const std::string config = fs::temp_directory_path() / ("config" + std::to_string(::getpid()));
  const auto with_layer = [&](const std::string& class_name, const std::string& rest) {
    std::ofstream(config) << R"({"class_name":"Sequential","config":[{"class_name":")" << class_name
                          << R"(","config":{"name":"l1")" << rest << "}}]}";
    return message_of([&] { import_model(weights, {config}); });
  };
  EXPECT_HAS(with_layer("Conv2D", ""), "layer l1: Conv2D is not a matrix-product layer");
  EXPECT_HAS(with_layer("Dense", R"(,"batch_input_shape":[null,4])"),
             "layer l1: the file has no weight \"kernel\"");
  EXPECT_HAS(with_layer("Activation", R"(,"batch_input_shape":[null,4],"activation":"mish")"),
             "layer l1 (Activation): the activation mish");
  EXPECT_HAS(with_layer("ReLU", R"(,"batch_input_shape":[null,4],"threshold":1.0)"), "threshold");
  EXPECT_HAS(with_layer("ReLU", R"(,"batch_input_shape":"x")"), "must be a list of integers");
  fs::remove(config);
}

// Networks without weights of their own, through the configuration alone.
ModelContents import_config(const std::string& config) {
  const std::string models = models_folder();
  const std::string path = fs::temp_directory_path() / ("config" + std::to_string(::getpid()));
  std::ofstream(path) << config;
  auto model = import_model(models + "/keras_fixtures/ReLU_0_weights.h5", {path});
  fs::remove(path);
  return model.contents;
}

TEST(KerasImport, FunctionalOfKeras2AndKeras3) {
  const std::string models = models_folder();
  SKIP_WITHOUT_MODELS(models);
  const std::string keras2 = R"({"class_name":"Functional","config":{"name":"m","layers":[
    {"class_name":"InputLayer","name":"in","config":{"name":"in","batch_input_shape":[null,16],
      "dtype":"float32"},"inbound_nodes":[]},
    {"class_name":"Add","name":"sum","config":{"name":"sum"},
      "inbound_nodes":[[["dense",0,0,{}],["dense",1,0,{}]]]},
    {"class_name":"Dense","name":"dense","config":{"name":"dense","units":32,"activation":"relu"},
      "inbound_nodes":[[["in",0,0,{}]],[["drop",0,0,{}]]]},
    {"class_name":"Dropout","name":"drop","config":{"name":"drop"},
      "inbound_nodes":[[["in",0,0,{}]]]}],
    "input_layers":[["in",0,0]],"output_layers":[["sum",0,0]]}})";
  const auto tensor = [](const std::string& layer, int call) {
    return R"({"class_name":"__keras_tensor__","config":{"shape":[null,16],"keras_history":[")" +
           layer + "\"," + std::to_string(call) + ",0]}}";
  };
  const std::string keras3 = R"({"module":"m","class_name":"Functional","config":{"layers":[
    {"class_name":"InputLayer","name":"in","config":{"name":"in","batch_shape":[null,16],
      "dtype":{"class_name":"DTypePolicy","config":{"name":"float32"}}},"inbound_nodes":[]},
    {"class_name":"Dense","name":"dense","config":{"name":"dense","units":32,
      "activation":{"class_name":"function","config":"relu"}},"inbound_nodes":[
        {"args":[)" + tensor("in", 0) +
                             R"(],"kwargs":{}},{"args":[)" + tensor("in", 0) +
                             R"(],"kwargs":{"training":false}}]},
    {"class_name":"Add","name":"sum","config":{"name":"sum"},"inbound_nodes":[{"args":[[)" +
                             tensor("dense", 0) + "," + tensor("dense", 1) + R"(]],"kwargs":{}}]}],
    "input_layers":["in",0,0],"output_layers":["sum",0,0]}})";
  const Matrix input{1, 16, std::vector<double>(16, 0.5)};
  const ModelContents first = import_config(keras2), second = import_config(keras3);
  EXPECT_EQ(first.weights.size(), 2u);  // one layer used twice, its weights once
  EXPECT_EQ(graph_of(first).outputs, std::vector<std::string>{"sum"});
  EXPECT_EQ(run(first, input).values, run(second, input).values);
  EXPECT_HAS(message_of([&] {
               import_config(R"({"class_name":"Model","config":{"layers":[
                 {"class_name":"ReLU","config":{"name":"a"},"inbound_nodes":[[["b",0,0]]]},
                 {"class_name":"ReLU","config":{"name":"b"},"inbound_nodes":[[["a",0,0]]]}],
                 "output_layers":[["a",0,0]]}})");
             }),
             "cycle");
}

TEST(KerasImport, Layers) {
  const std::string models = models_folder();
  SKIP_WITHOUT_MODELS(models);
  const auto with = [&](const std::string& layers) {
    return import_config(R"({"class_name":"Sequential","config":{"layers":[
      {"class_name":"InputLayer","config":{"name":"x","batch_shape":[null,2,3]}},)" +
                         layers + "]}}");
  };
  const auto layer = [](const std::string& class_name, const std::string& name,
                        const std::string& rest) {
    return R"({"class_name":")" + class_name + R"(","config":{"name":")" + name + "\"" + rest +
           "}}";
  };
  EXPECT_EQ(ops_of(with(layer("Flatten", "f", "") + "," + layer("ELU", "e", ",\"alpha\":0.5") +
                        "," + layer("LeakyReLU", "l", ",\"negative_slope\":0.1") + "," +
                        layer("ReLU", "r", ",\"max_value\":6.0,\"negative_slope\":0.5") + "," +
                        layer("Softmax", "s", ",\"axis\":-1"))),
            "Flatten Elu LeakyRelu LeakyRelu Min Softmax");
  const ModelContents shaped = with(layer("Permute", "p", ",\"dims\":[2,1]") + "," +
                                    layer("Reshape", "r", ",\"target_shape\":[6]"));
  EXPECT_EQ(ops_of(shaped), "Transpose Reshape");
  EXPECT_EQ(*ints_attribute(graph_of(shaped).nodes[0], "perm"),
            (std::vector<std::int64_t>{0, 2, 1}));
  std::int64_t shape[2];
  shaped.weights.at(0).fill(shape);
  EXPECT_EQ(shape[0], 0);
  EXPECT_EQ(shape[1], 6);
  EXPECT_EQ(ops_of(with(layer("Dropout", "d", ""))), "Identity");
  for (const char* name : {"sigmoid", "tanh", "gelu", "exponential", "selu", "swish", "softsign"}) {
    EXPECT_NO_THROW(
        with(layer("Activation", "a", ",\"activation\":\"" + std::string(name) + "\"")));
  }
}

TEST(KerasImport, SoftplusDoesNotOverflow) {
  const std::string models = models_folder();
  SKIP_WITHOUT_MODELS(models);
  const ModelContents contents = import_config(R"({"class_name":"Sequential","config":{"layers":[
    {"class_name":"Activation","config":{"name":"a","activation":"softplus",
     "batch_input_shape":[null,4]}}]}})");
  const Matrix got = run(contents, {1, 4, {-800, -1, 0, 800}});
  EXPECT_EQ(got.values[0], 0);
  EXPECT_NEAR(got.values[1], std::log1p(std::exp(-1)), 1e-15);
  EXPECT_NEAR(got.values[2], std::log(2), 1e-15);
  EXPECT_EQ(got.values[3], 800);
}

}  // namespace
}  // namespace tpinfer::shard
