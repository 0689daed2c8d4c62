// SPDX-License-Identifier: Apache-2.0
// The arithmetic of networks against plain loops in double, for every instruction set that this
// machine has.
#include "predictors/kernels/operations.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace vergence::predictors {
namespace {

// Sides of the test cases are small numbers.
// NOLINTBEGIN(bugprone-misplaced-widening-cast,
// bugprone-implicit-widening-of-multiplication-result, bugprone-integer-division)

std::vector<float> numbers(std::size_t count, unsigned seed, float size = 1.0F) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-size, size);
  std::vector<float> values(count);
  std::generate(values.begin(), values.end(), [&] { return uniform(random); });
  return values;
}

Workers alone() {
  return {.threads = 1, .run = [](int count, const std::function<void(int)>& body) {
            for (int i = 0; i < count; ++i) body(i);
          }};
}

// As if by three threads, in another order.
Workers backwards() {
  return {.threads = 3, .run = [](int count, const std::function<void(int)>& body) {
            for (int i = count - 1; i >= 0; --i) body(i);
          }};
}

double gelu(double x) {
  return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
}

class EveryInstructionSet : public ::testing::TestWithParam<const Kernels*> {};

TEST_P(EveryInstructionSet, MultipliesMatricesOfAnySize) {
  const Kernels& set = *GetParam();
  for (const auto& [rows, depth, columns] :
       {std::array{1, 1, 1}, std::array{15, 7, 33}, std::array{29, 64, 31}, std::array{6, 5, 64}}) {
    const auto m = static_cast<std::size_t>(rows);
    const auto k = static_cast<std::size_t>(depth);
    const auto n = static_cast<std::size_t>(columns);
    const std::vector<float> a = numbers(m * k, 1);
    const std::vector<float> b = numbers(n * k, 2);
    const std::vector<float> bias = numbers(n, 3);
    const std::vector<float> residual = numbers(m * n, 4);
    const auto panel = static_cast<std::size_t>(set.panel);
    std::vector<float> packed((n + panel - 1) / panel * panel * k);
    for (std::size_t first = 0; first < n; first += panel) {
      set.pack_panel(b.data() + first * k, k, static_cast<int>(std::min(panel, n - first)), depth,
                     packed.data() + first * k);
    }
    std::vector<float> c(m * n);
    set.multiply({.a = a.data(),
                  .a_stride = k,
                  .depth = depth,
                  .b = packed.data(),
                  .b_stride = panel * k,
                  .rows = rows,
                  .columns = columns,
                  .bias = bias.data(),
                  .residual = residual.data(),
                  .residual_stride = n,
                  .activation = Activation::kGelu,
                  .c = c.data(),
                  .c_stride = n});
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        double sum = bias[j];
        for (std::size_t l = 0; l < k; ++l) {
          sum += static_cast<double>(a[i * k + l]) * static_cast<double>(b[j * k + l]);
        }
        EXPECT_NEAR(c[i * n + j], gelu(sum) + residual[i * n + j], 5e-6) << i << ", " << j;
      }
    }
  }
}

TEST_P(EveryInstructionSet, KnowsExponentials) {
  for (const std::size_t count : {1U, 5U, 16U, 53U}) {
    std::vector<float> x = numbers(count, 5, 40.0F);
    std::vector<double> expected(count);
    const float maximum = *std::max_element(x.begin(), x.end());
    double expected_sum = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      // The argument itself is a float.
      expected[i] = std::exp(static_cast<double>((x[i] - maximum) * 0.5F));
      expected_sum += expected[i];
    }
    const float sum = GetParam()->exponentials(x.data(), count, 0.5F);
    EXPECT_NEAR(sum, expected_sum, 1e-6 * expected_sum);
    for (std::size_t i = 0; i < count; ++i) EXPECT_NEAR(x[i], expected[i], 4e-7 * expected[i]);
  }
}

TEST_P(EveryInstructionSet, MakesNoDenormalNumbers) {
  std::vector<float> x(33, -1000.0F);
  x.back() = 0.0F;
  (void)GetParam()->exponentials(x.data(), x.size(), 1.0F);
  for (const float value : x) EXPECT_TRUE(std::isnormal(value)) << value;
}

TEST_P(EveryInstructionSet, Normalises) {
  constexpr std::size_t kCount = 37;
  const std::vector<float> x = numbers(kCount, 6, 3.0F);
  const std::vector<float> weight = numbers(kCount, 7);
  const std::vector<float> bias = numbers(kCount, 8);
  std::vector<float> y(kCount);
  GetParam()->normalise(x.data(), kCount, weight.data(), bias.data(), 1e-6F, y.data());
  double mean = 0.0;
  for (const float value : x) mean += static_cast<double>(value) / kCount;
  double variance = 0.0;
  for (const float value : x) variance += std::pow(value - mean, 2.0) / kCount;
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_NEAR(y[i], (x[i] - mean) / std::sqrt(variance + 1e-6) * weight[i] + bias[i], 2e-6);
  }
}

struct FilterCase {
  int kernel, stride;
  std::size_t channels;
};

TEST_P(EveryInstructionSet, FiltersEveryChannelByItself) {
  constexpr int kColumns = 7;
  for (const FilterCase& c : {FilterCase{3, 1, 3}, FilterCase{3, 2, 16}, FilterCase{5, 1, 37},
                              FilterCase{5, 2, 64}, FilterCase{3, 1, 21}}) {
    const auto kernel = static_cast<std::size_t>(c.kernel);
    const std::size_t line =
        ((kColumns - 1) * static_cast<std::size_t>(c.stride) + kernel) * c.channels;
    const std::vector<float> a = numbers(kernel * line, 21);
    const std::vector<float> weights = numbers(kernel * kernel * c.channels, 22);
    const std::vector<float> bias = numbers(c.channels, 23);
    std::vector<float> output(kColumns * c.channels);
    GetParam()->filter({.a = a.data(),
                        .line = line,
                        .kernel = c.kernel,
                        .stride = c.stride,
                        .channels = c.channels,
                        .weights = weights.data(),
                        .bias = bias.data(),
                        .columns = kColumns,
                        .c = output.data()});
    for (std::size_t i = 0; i < output.size(); ++i) {
      const std::size_t channel = i % c.channels;
      const std::size_t left = i / c.channels * static_cast<std::size_t>(c.stride);
      double sum = bias[channel];
      for (std::size_t k = 0; k < kernel * kernel; ++k) {
        sum += static_cast<double>(weights[k * c.channels + channel]) *
               a[k / kernel * line + (left + k % kernel) * c.channels + channel];
      }
      ASSERT_NEAR(output[i], sum, 1e-5) << c.kernel << ", " << c.channels << ", " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Machine, EveryInstructionSet,
                         ::testing::ValuesIn(runnable_kernels().begin(), runnable_kernels().end()),
                         [](const auto& test) { return std::string(test.param->name); });

struct ConvCase {
  int height, width, in, out, kernel, stride, padding;
};

double rectified(double x, bool yes) {
  return yes ? std::max(x, 0.0) : x;
}

TEST(Convolution, SeesItsWindowAndZerosOutside) {
  for (const ConvCase& c : {ConvCase{7, 19, 5, 3, 3, 1, 1}, ConvCase{8, 9, 4, 33, 3, 2, 1},
                            ConvCase{6, 17, 3, 2, 1, 1, 0}, ConvCase{12, 12, 3, 5, 4, 4, 0},
                            ConvCase{60, 50, 20, 40, 3, 1, 1}}) {  // worth sharing out
    const auto depth = static_cast<std::size_t>(c.kernel * c.kernel * c.in);
    const auto out = static_cast<std::size_t>(c.out);
    const std::vector<float> input =
        numbers(static_cast<std::size_t>(c.height * c.width * c.in), 9);
    const std::vector<float> weights = numbers(out * depth, 10);
    std::vector<float> packed(packed_size(static_cast<int>(depth), c.out));
    PackedMatrix matrix = {.depth = static_cast<int>(depth), .columns = c.out};
    pack_weights(weights.data(), matrix, packed.data(), alone());
    matrix.values = packed.data();
    ConvLayer layer = {.input = {input.data(), c.height, c.width, c.in},
                       .rectify = true,
                       .kernel = c.kernel,
                       .stride = c.stride,
                       .padding = c.padding,
                       .weights = matrix};
    std::vector<float> output(
        static_cast<std::size_t>(layer.output_height() * layer.output_width()) * out);
    layer.output = output.data();
    run(layer, backwards());
    for (int y = 0; y < layer.output_height(); ++y) {
      for (int x = 0; x < layer.output_width(); ++x) {
        for (int o = 0; o < c.out; ++o) {
          double sum = 0.0;
          for (int k = 0; k < c.kernel * c.kernel * c.in; ++k) {
            const int row = y * c.stride - c.padding + k / (c.kernel * c.in);
            const int column = x * c.stride - c.padding + k / c.in % c.kernel;
            if (row < 0 || row >= c.height || column < 0 || column >= c.width) continue;
            const auto at = static_cast<std::size_t>((row * c.width + column) * c.in + k % c.in);
            sum += rectified(input[at], true) *
                   static_cast<double>(
                       weights[static_cast<std::size_t>(o) * depth + static_cast<std::size_t>(k)]);
          }
          const auto at = static_cast<std::size_t>((y * layer.output_width() + x) * c.out + o);
          ASSERT_NEAR(output[at], sum, 1e-5) << y << ", " << x << ", " << o;
        }
      }
    }
  }
}

TEST(Convolution, OfSingleChannelsIsTheSameWithTheOtherWeightsZero) {
  constexpr int kHeight = 41;
  constexpr int kWidth = 30;
  constexpr int kChannels = 24;
  const std::vector<float> input = numbers(std::size_t{kHeight} * kWidth * kChannels, 24);
  const std::vector<float> filters = numbers(std::size_t{25} * kChannels, 25);
  const std::vector<float> bias = numbers(kChannels, 26);
  const std::size_t depth = std::size_t{25} * kChannels;
  std::vector<float> weights(kChannels * depth);
  for (std::size_t channel = 0; channel < kChannels; ++channel) {
    for (std::size_t k = 0; k < 25; ++k) {
      weights[channel * depth + k * kChannels + channel] = filters[k * kChannels + channel];
    }
  }
  std::vector<float> packed(packed_size(static_cast<int>(depth), kChannels));
  PackedMatrix matrix = {.depth = static_cast<int>(depth), .columns = kChannels};
  pack_weights(weights.data(), matrix, packed.data(), alone());
  matrix.values = packed.data();
  const Map map = {input.data(), kHeight, kWidth, kChannels};
  for (const int stride : {1, 2}) {
    ConvLayer whole = {.input = map,
                       .kernel = 5,
                       .stride = stride,
                       .padding = 2,
                       .weights = matrix,
                       .bias = bias.data()};
    DepthwiseLayer single = {.input = map,
                             .kernel = 5,
                             .stride = stride,
                             .padding = 2,
                             .weights = filters.data(),
                             .bias = bias.data()};
    ASSERT_EQ(single.output_height(), whole.output_height());
    ASSERT_EQ(single.output_width(), whole.output_width());
    const auto count =
        static_cast<std::size_t>(whole.output_height() * whole.output_width()) * kChannels;
    std::vector<float> expected(count);
    std::vector<float> actual(count);
    whole.output = expected.data();
    single.output = actual.data();
    run(whole, alone());
    run(single, backwards());
    for (std::size_t i = 0; i < count; ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5) << i;
  }
}

TEST(Convolution, OfAResizedMapIsThatOfTheMapResizedFirst) {
  const std::vector<float> input = numbers(5 * 6 * 3, 11);
  const std::vector<float> weights = numbers(4 * 27, 12);
  const std::vector<float> last = numbers(4, 13);
  std::vector<float> packed(packed_size(27, 4));
  PackedMatrix matrix = {.depth = 27, .columns = 4};
  pack_weights(weights.data(), matrix, packed.data(), alone());
  matrix.values = packed.data();
  std::vector<float> resized(9 * 13 * 3);
  run(
      ResizeLayer{
          .input = {input.data(), 5, 6, 3}, .height = 9, .width = 13, .output = resized.data()},
      alone());
  std::vector<float> between(9 * 13 * 4);
  run(ConvLayer{.input = {resized.data(), 9, 13, 3},
                .weights = matrix,
                .activation = Activation::kRelu,
                .output = between.data()},
      alone());
  std::vector<float> output(9 * 13);
  run(ConvLayer{.input = {input.data(), 5, 6, 3},
                .resized_height = 9,
                .resized_width = 13,
                .weights = matrix,
                .activation = Activation::kRelu,
                .last_weights = last.data(),
                .last_bias = 0.5F,
                .output = output.data()},
      backwards());
  for (std::size_t i = 0; i < output.size(); ++i) {
    double expected = 0.5;
    for (std::size_t o = 0; o < 4; ++o) expected += between[4 * i + o] * last[o];
    EXPECT_NEAR(output[i], expected, 1e-6);
  }
}

TEST(Resizing, KeepsCornersAndStraightLines) {
  std::vector<float> ramp(4 * 5);
  for (std::size_t i = 0; i < ramp.size(); ++i) {
    ramp[i] = static_cast<float>(3 * (i % 5) + 10 * (i / 5));
  }
  std::vector<float> output(10 * 9);
  run(
      ResizeLayer{
          .input = {ramp.data(), 4, 5, 1}, .height = 10, .width = 9, .output = output.data()},
      backwards());
  for (std::size_t y = 0; y < 10; ++y) {
    for (std::size_t x = 0; x < 9; ++x) {
      EXPECT_NEAR(output[9 * y + x],
                  12.0 * static_cast<double>(x) / 8 + 30.0 * static_cast<double>(y) / 9, 1e-5);
    }
  }
}

TEST(Attention, IsTheWeightedMeanOfTheValues) {
  constexpr std::size_t kCount = 45;
  constexpr std::size_t kHeads = 2;
  constexpr std::size_t kSize = 8;
  constexpr std::size_t kChannels = kHeads * kSize;
  const std::vector<float> qkv = numbers(kCount * 3 * kChannels, 14, 3.0F);
  const std::vector<float> bias = numbers(kHeads * kCount * kCount, 15);
  AttentionLayer layer = {
      .qkv = qkv.data(), .count = kCount, .heads = kHeads, .size = kSize, .bias = bias.data()};
  std::vector<float> workspace(layer.workspace_size());
  std::vector<float> output(kCount * kChannels);
  layer.workspace = workspace.data();
  layer.output = output.data();
  run(layer, backwards());
  const auto at = [&](std::size_t token, std::size_t part, std::size_t channel) {
    return static_cast<double>(qkv[(token * 3 + part) * kChannels + channel]);
  };
  for (std::size_t query = 0; query < kCount; ++query) {
    for (std::size_t head = 0; head < kHeads; ++head) {
      std::vector<double> shares(kCount);
      double sum = 0.0;
      for (std::size_t key = 0; key < kCount; ++key) {
        double score = 0.0;
        for (std::size_t c = 0; c < kSize; ++c) {
          score += at(query, 0, head * kSize + c) * at(key, 1, head * kSize + c);
        }
        score = score / std::sqrt(8.0) + bias[(head * kCount + query) * kCount + key];
        sum += shares[key] = std::exp(score);
      }
      for (std::size_t c = 0; c < kSize; ++c) {
        double expected = 0.0;
        for (std::size_t key = 0; key < kCount; ++key) {
          expected += shares[key] / sum * at(key, 2, head * kSize + c);
        }
        EXPECT_NEAR(output[query * kChannels + head * kSize + c], expected, 1e-5);
      }
    }
  }
}

// NOLINTEND(bugprone-misplaced-widening-cast, bugprone-implicit-widening-of-multiplication-result,
// bugprone-integer-division)

}  // namespace
}  // namespace vergence::predictors
