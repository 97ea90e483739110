// Normalisation layers, from a Keras weights file made here.
#define H5_USE_110_API
#include <gtest/gtest.h>
#include <hdf5.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "shard/import/importer.hpp"
#include "shard/plan/graph.hpp"

namespace tpinfer::shard {
namespace {

namespace fs = std::filesystem;

// A list of strings, padded to one length, as h5py writes numpy's.
void write_names(hid_t object, const char* name, const std::vector<std::string>& names) {
  std::string raw;
  for (std::string text : names) {
    text.resize(32, '\0');
    raw += text;
  }
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, 32);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  const hsize_t count = names.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Awrite(attribute, type, raw.data()), 0);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

using Weights = std::map<std::string, std::vector<float>>;  // role -> values

// A weights file with one layer "n" and a configuration; returns what they import to.
ImportedModel import_layer(const std::string& class_name, const std::string& options,
                           const std::string& input_shape, const Weights& weights) {
  const fs::path base = fs::temp_directory_path() / ("norm" + std::to_string(::getpid()));
  const std::string h5 = base.string() + ".h5", json = base.string() + ".json";
  const hid_t file = H5Fcreate(h5.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  write_names(file, "layer_names", {"n"});
  const hid_t group = H5Gcreate2(file, "n", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t inner = H5Gcreate2(group, "n", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  std::vector<std::string> names;
  for (const auto& [role, values] : weights) {
    names.push_back("n/" + role + ":0");
    const hsize_t count = values.size();
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t dataset = H5Dcreate2(inner, (role + ":0").c_str(), H5T_IEEE_F32LE, space,
                                     H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    H5Dclose(dataset);
    H5Sclose(space);
  }
  write_names(group, "weight_names", names);
  H5Gclose(inner);
  H5Gclose(group);
  H5Fclose(file);
  std::ofstream(json) << R"({"class_name":"Sequential","config":{"layers":[{"class_name":")"
                      << class_name << R"(","config":{"name":"n","batch_input_shape":)"
                      << input_shape << options << "}}]}}";
  const ImportedModel model = import_model(h5, {json});
  fs::remove(h5);
  fs::remove(json);
  return model;
}

std::vector<float> values_of(const TensorSource& weight) {
  std::vector<float> values(static_cast<std::size_t>(element_count(weight.shape)));
  weight.fill(values.data());
  return values;
}

Graph graph_of(const ImportedModel& model) {
  std::vector<std::string> names;
  for (const TensorSource& weight : model.contents.weights) names.push_back(weight.name);
  return parse_graph("main", model.contents.graphs.at(0).json, names);
}

TEST(KerasNorms, BatchNormalizationIsFolded) {
  const auto model = import_layer("BatchNormalization", R"(,"axis":[1],"epsilon":0.5)", "[null,2]",
                                  {{"gamma", {2, 3}},
                                   {"beta", {1, -1}},
                                   {"moving_mean", {0.5f, 4}},
                                   {"moving_variance", {1.5f, 0.25f}}});
  const Graph graph = graph_of(model);
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_EQ(graph.nodes[0].op, "Mul");
  EXPECT_EQ(graph.nodes[1].op, "Add");
  const auto scale = values_of(model.contents.weights.at(0));
  const auto shift = values_of(model.contents.weights.at(1));
  const double factors[] = {2 / std::sqrt(2.0), 3 / std::sqrt(0.75)};
  EXPECT_EQ(scale,
            (std::vector<float>{static_cast<float>(factors[0]), static_cast<float>(factors[1])}));
  EXPECT_EQ(shift, (std::vector<float>{static_cast<float>(1 - 0.5 * factors[0]),
                                       static_cast<float>(-1 - 4 * factors[1])}));
}

TEST(KerasNorms, BatchNormalizationOfAnEarlierAxis) {
  const auto model = import_layer("BatchNormalization", R"(,"axis":1)", "[null,2,5]",
                                  {{"moving_mean", {0, 1}}, {"moving_variance", {1, 1}}});
  EXPECT_EQ(model.contents.weights.at(0).shape, (Shape{2, 1}));
}

TEST(KerasNorms, LayerNormalization) {
  const auto model = import_layer("LayerNormalization", R"(,"axis":-1,"epsilon":0.001)",
                                  "[null,7,2]", {{"gamma", {2, 3}}, {"beta", {1, -1}}});
  const Graph graph = graph_of(model);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].op, "LayerNormalization");
  EXPECT_EQ(graph.nodes[0].inputs, (std::vector<std::string>{"n_input", "n/gamma", "n/beta"}));
  EXPECT_EQ(int_attribute(graph.nodes[0], "axis", 0), 2);
  EXPECT_EQ(float_attribute(graph.nodes[0], "epsilon", 0), 0.001);
}

TEST(KerasNorms, Refusals) {
  const auto refused = [](const std::string& class_name, const std::string& options,
                          const Weights& weights) {
    EXPECT_THROW(import_layer(class_name, options, "[null,3,2]", weights), Error) << options;
  };
  refused("LayerNormalization", R"(,"axis":1)", {{"gamma", {1, 1, 1}}});
  refused("LayerNormalization", R"(,"axis":-1)", {});
  refused("BatchNormalization", R"(,"axis":[1,2])", {{"moving_mean", {0}}});
  refused("BatchNormalization", R"(,"axis":3)", {{"moving_mean", {0}}});
  refused("BatchNormalization", "", {});
  refused("BatchNormalization", "", {{"moving_mean", {0, 0}}, {"gamma", {1}}});
}

}  // namespace
}  // namespace tpinfer::shard
