// The same bits from every family, shape, division and number of threads.
#include "kernels/math/matmul.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/base/error.hpp"
#include "kernels/base/parallel.hpp"
#include "kernels/math/combine.hpp"
#include "kernels/math/matmul_kernels.hpp"
#include "tests/kernels/product.hpp"

namespace tpinfer::kernels {
namespace {

using test::block;
using test::error_against_float64;
using test::first_difference;
using test::Floats;
using test::kFamilies;
using test::noise;
using test::Product;

constexpr Family kFast[] = {Family::eigen, Family::blas};
constexpr std::int64_t kRows[] = {1, 2, 3, 5, 6, 12, 16, 17, 33};
constexpr std::int64_t kColumns[] = {1, 2, 3, 10, 16, 63, 64, 65, 128, 200};
constexpr std::int64_t kContractions[] = {1, 5, 7, 16, 17, 96, 255, 784, 4099};
constexpr std::int64_t kUnits[] = {1, 8, 32};

class Matmul : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(1); }
};

TEST_F(Matmul, FamiliesEqualReferenceAtEveryShape) {
  for (const std::int64_t k : kContractions) {
    for (const std::int64_t unit : kUnits) {
      const Product p(33, 200, k, unit);
      const Floats expected = p.whole(Family::reference);
      for (const std::int64_t m : kRows) {
        for (const std::int64_t n : kColumns) {
          const Floats want = block(expected, p.n, {0, m}, {0, n});
          for (const Family family : kFast) {
            ASSERT_EQ(first_difference(p.part(family, {0, m}, {0, n}), want), -1)
                << name_of(family) << " " << m << "x" << n << "x" << k << " unit " << unit;
          }
        }
      }
    }
  }
}

TEST_F(Matmul, LargeTilesEqualReference) {
  const Product p(150, 700, 300, 1);
  const Floats expected = p.whole(Family::reference);
  for (const Family family : kFast) {
    for (const int threads : {1, 3}) {
      set_thread_count(threads);
      EXPECT_EQ(first_difference(p.whole(family), expected), -1)
          << name_of(family) << " " << threads << " threads";
    }
  }
}

TEST_F(Matmul, ARowAloneIsTheRowOfABatch) {
  const Product p(33, 65, 784, 1);
  for (const Family family : kFamilies) {
    const Floats whole = p.whole(family);
    for (std::int64_t i = 0; i < p.m; ++i) {
      const Range row{i, i + 1};
      ASSERT_EQ(first_difference(p.part(family, row, {0, p.n}),
                                 block(whole, p.n, row, {0, p.n})), -1)
          << name_of(family) << " row " << i;
    }
  }
}

TEST_F(Matmul, ColumnsMayBeCutAnywhere) {
  const Product p(17, 130, 255, 1);
  for (const Family family : kFast) {
    const Floats whole = p.whole(family);
    for (std::int64_t cut = 1; cut < p.n; ++cut) {
      for (const Range columns : {Range{0, cut}, Range{cut, p.n}}) {
        ASSERT_EQ(first_difference(p.part(family, {0, p.m}, columns),
                                   block(whole, p.n, {0, p.m}, columns)), -1)
            << name_of(family) << " [" << columns.begin << "," << columns.end << ")";
      }
    }
  }
}

// Every rank computes its leaves' roots; whoever combines them has one rank's bits.
TEST_F(Matmul, TheContractionMayBeCutByLeaves) {
  for (const std::int64_t k : kContractions) {
    for (const std::int64_t unit : kUnits) {
      const Product p(6, 19, k, unit);
      const Floats expected = p.whole(Family::reference);
      const std::int64_t size = p.m * p.n;
      for (int parts = 1; parts <= 16; ++parts) {
        const Family family = kFamilies[parts % 3];
        std::vector<Range> roots;
        std::vector<Floats> values;
        for (int part = 0; part < parts; ++part) {
          const Range own = range_of_leaves(k, unit, split(leaf_count(k, unit), parts, part));
          const Floats sums = p.roots(family, {0, p.m}, {0, p.n}, own);
          std::int64_t r = 0;
          for (const Range root : roots_of({p.m, p.n, k, unit, own})) {
            roots.push_back(root);
            values.push_back(block(sums, size, {r, r + 1}, {0, size}));
            ++r;
          }
        }
        std::vector<const float*> data;
        for (const Floats& value : values) data.push_back(value.data());
        Floats out(static_cast<std::size_t>(size), std::nanf(""));
        combine_roots(roots, data, size, out.data());
        ASSERT_EQ(first_difference(out, expected), -1)
            << name_of(family) << " K=" << k << " unit " << unit << " in " << parts << " parts";
      }
    }
  }
}

TEST_F(Matmul, ThreadsDoNotChangeBits) {
  const Product p(17, 200, 784, 8);
  const Floats expected = p.whole(Family::reference);
  for (const int threads : {1, 2, 3}) {
    set_thread_count(threads);
    for (const Family family : kFamilies) {
      for (const std::int64_t m : {1, 17}) {
        EXPECT_EQ(first_difference(p.part(family, {0, m}, {0, p.n}),
                                   block(expected, p.n, {0, m}, {0, p.n})), -1)
            << name_of(family) << " " << threads << " threads, " << m << " rows";
      }
    }
  }
}

TEST_F(Matmul, EmptyProblems) {
  for (const Family family : kFamilies) {
    EXPECT_TRUE(Product(3, 4, 0, 1).whole(family).empty());
    EXPECT_TRUE(Product(3, 4, 20, 1).roots(family, {0, 3}, {0, 4}, {5, 5}).empty());
    EXPECT_TRUE(Product(0, 4, 20, 1).whole(family).empty());
    EXPECT_TRUE(Product(3, 0, 20, 1).whole(family).empty());
    Floats out(12, -1.0F);
    matmul_fast(family, 3, 4, 0, nullptr, nullptr, out.data());
    EXPECT_EQ(out, Floats(12, 0.0F));
  }
}

TEST_F(Matmul, RefusesAPartThatCutsALeaf) {
  const Product p(2, 3, 784, 1);
  for (const Family family : kFamilies) {
    EXPECT_THROW(p.roots(family, {0, 2}, {0, 3}, {0, 50}), Error) << name_of(family);
  }
}

TEST_F(Matmul, FastIsClose) {
  const Product p(17, 200, 784, 1);
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    for (const Family family : kFamilies) {
      Floats y(static_cast<std::size_t>(p.m * p.n), std::nanf(""));
      matmul_fast(family, p.m, p.n, p.contraction, p.x.data(), p.w.data(), y.data());
      EXPECT_LT(error_against_float64(p, y), 1e-6) << name_of(family) << " " << threads;
    }
  }
}

TEST_F(Matmul, ProofCountsEveryTileShape) {
  const MatmulProblem problem{33, 200, 784, 1, {0, 784}};
  EXPECT_EQ(prove(Family::reference, {&problem, 1}), "reference");
  EXPECT_EQ(prove(Family::eigen, {}), "eigen");
  for (const Family family : kFast) {
    const std::string text = prove(family, {&problem, 1});
    EXPECT_NE(text.find(" tile shapes"), std::string::npos) << text;
    // The scalar definition is no fast kernel: it is for a CPU without fused multiply-adds.
    EXPECT_EQ(text.find("reference") == std::string::npos, cpu_runs_eigen()) << text;
    EXPECT_EQ(text, prove(family, {&problem, 1}));
  }
}

// Shapes that the blocking avoids because libraries are known to compute some of them otherwise:
// whatever the self-test lets pass must still be the definition.
TEST_F(Matmul, OnlyProvenTilesAreUsed) {
  for (const std::int64_t rows : {1, 4, 9, 24, 64}) {
    for (const std::int64_t columns : {8, 24, 32, 100, 128}) {
      for (const std::int64_t depth : {1, 8, 100, 256}) {
        const TileShape shape{rows, columns, depth};
        const Floats x = noise(5, rows * depth);
        const Floats w = noise(6, depth * columns);
        Floats expected(static_cast<std::size_t>(rows * columns), 0.25F);
        Floats sum = expected;
        reference_tile(shape, x.data(), depth, w.data(), columns, expected.data());
        for (const Family family : kFast) {
          std::fill(sum.begin(), sum.end(), 0.25F);
          const ProvenTile tile = proven_tile(family, shape);
          tile.function(shape, x.data(), depth, w.data(), columns, sum.data());
          ASSERT_EQ(first_difference(sum, expected), -1)
              << tile.name << " " << rows << "x" << columns << "x" << depth;
        }
      }
    }
  }
}

TEST_F(Matmul, FamilyNames) {
  for (const Family family : kFamilies) EXPECT_EQ(parse_family(name_of(family)), family);
  try {
    parse_family("mkl");
    ADD_FAILURE() << "mkl was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::usage);
    EXPECT_NE(std::string(error.what()).find("reference, eigen or blas"), std::string::npos);
  }
}

}  // namespace
}  // namespace tpinfer::kernels
