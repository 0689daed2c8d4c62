// SPDX-License-Identifier: Apache-2.0
#include "media/video_color.hpp"

#include "core/error.hpp"
#include "core/parallel.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>
#include <opencv2/core/hal/hal.hpp>
#include <opencv2/imgproc.hpp>

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
}

// Loops over pixels exist twice, and the processor's abilities decide at the program's start. Both
// give the same numbers.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VERGENCE_WIDE_LOOPS __attribute__((target_clones("avx2", "default")))
#else
#define VERGENCE_WIDE_LOOPS
#endif

namespace vergence::media {
namespace {

constexpr int kRowsPerTask = 32;

const AVPixFmtDescriptor& descriptor_of(int format) {
  const AVPixFmtDescriptor* descriptor = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(format));
  if (descriptor == nullptr || (descriptor->flags & AV_PIX_FMT_FLAG_HWACCEL) != 0) {
    throw Error(fmt::format("the pixel format '{}' lies outside of the main memory",
                            descriptor == nullptr ? "none" : descriptor->name));
  }
  return *descriptor;
}

bool is_rgb(const AVPixFmtDescriptor& format) {
  return (format.flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

bool has_alpha(const AVPixFmtDescriptor& format) {
  return (format.flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
}

bool is_grey(const AVPixFmtDescriptor& format) {
  return format.nb_components <= 2 && !is_rgb(format);
}

int depth_of(const AVPixFmtDescriptor& format) {
  int depth = 0;
  for (int i = 0; i < format.nb_components; ++i) depth = std::max(depth, format.comp[i].depth);
  return depth;
}

// One plane a component, whole bytes or native words: what the loops below read and write.
bool is_planar(const AVPixFmtDescriptor& format) {
  constexpr auto kOthers = static_cast<std::uint64_t>(AV_PIX_FMT_FLAG_BITSTREAM) |
                           AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER;
  if ((format.flags & kOthers) != 0 || format.nb_components == 2) return false;
  const int depth = depth_of(format);
  const bool big_endian = (format.flags & AV_PIX_FMT_FLAG_BE) != 0;
  if (depth < 8 || depth > 16 || (depth > 8 && big_endian)) return false;
  for (int i = 0; i < format.nb_components; ++i) {
    const AVComponentDescriptor& part = format.comp[i];
    if (part.depth != depth || part.step != (depth > 8 ? 2 : 1) || part.offset != 0 ||
        part.shift != 0) {
      return false;
    }
    for (int j = 0; j < i; ++j) {
      if (format.comp[j].plane == part.plane) return false;
    }
  }
  return true;
}

[[noreturn]] void throw_unsupported(const AVPixFmtDescriptor& format) {
  throw Error(fmt::format("the pixel format '{}' is not supported", format.name))
      .hint("convert it first, for instance by video.filter=format=rgb48le");
}

// The planar format that holds another one's numbers without loss.
AVPixelFormat planar_format(const AVPixFmtDescriptor& format) {
  constexpr auto kStrange = static_cast<std::uint64_t>(AV_PIX_FMT_FLAG_BITSTREAM) |
                            AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER;
  const bool xyz = std::string_view(format.name).starts_with("xyz");
  if ((format.flags & kStrange) != 0 || xyz) throw_unsupported(format);
  const bool grey_alpha = format.nb_components == 2;
  const bool rgb = is_rgb(format) || grey_alpha;
  const int depth = std::max(depth_of(format), 8);
  const AVPixFmtDescriptor* other = nullptr;
  while ((other = av_pix_fmt_desc_next(other)) != nullptr) {
    if (is_planar(*other) && is_rgb(*other) == rgb && depth_of(*other) == depth &&
        has_alpha(*other) == has_alpha(format) && is_grey(*other) == (is_grey(format) && !rgb) &&
        other->log2_chroma_w == format.log2_chroma_w &&
        other->log2_chroma_h == format.log2_chroma_h) {
      return av_pix_fmt_desc_get_id(other);
    }
  }
  throw_unsupported(format);
}

// The part of a plane that belongs to a component, in samples.
cv::Size component_size(const AVFrame& frame, const AVPixFmtDescriptor& format, int component) {
  const bool chroma = (component == 1 || component == 2) && !is_rgb(format);
  return {AV_CEIL_RSHIFT(frame.width, chroma ? format.log2_chroma_w : 0),
          AV_CEIL_RSHIFT(frame.height, chroma ? format.log2_chroma_h : 0)};
}

// Weights of the luma differences: Kr and Kb (ITU-T H.273, table 4).
struct LumaWeights {
  double red;
  double blue;
};

std::optional<LumaWeights> luma_weights(int matrix) {
  switch (matrix) {
    case AVCOL_SPC_BT709:
      return LumaWeights{0.2126, 0.0722};
    case AVCOL_SPC_FCC:
      return LumaWeights{0.30, 0.11};
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return LumaWeights{0.299, 0.114};
    case AVCOL_SPC_SMPTE240M:
      return LumaWeights{0.212, 0.087};
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return LumaWeights{0.2627, 0.0593};
    default:
      return std::nullopt;
  }
}

// Y', Cb, Cr (0..1, -0.5..0.5) from R', G', B' (0..1).
cv::Matx33d ycc_from_rgb(int matrix) {
  if (matrix == AVCOL_SPC_YCGCO) return {0.25, 0.5, 0.25, -0.25, 0.5, -0.25, 0.5, 0.0, -0.5};
  const auto weights = luma_weights(matrix);
  if (!weights) {
    const char* name = av_color_space_name(static_cast<AVColorSpace>(matrix));
    throw Error(fmt::format("the colour matrix '{}' is not supported",
                            name == nullptr ? std::to_string(matrix) : name))
        .hint("name the nearest one, for instance video.matrix=bt2020nc");
  }
  const double red = weights->red;
  const double blue = weights->blue;
  const double green = 1.0 - red - blue;
  const double u = 0.5 / (1.0 - blue);
  const double v = 0.5 / (1.0 - red);
  return {red,        green,    blue, -red * u, -green * u, (1.0 - blue) * u, (1.0 - red) * v,
          -green * v, -blue * v};
}

// How the numbers of a plane stand for 0..1 and -0.5..0.5 (ITU-T H.273, 8.3).
struct Quantization {
  double luma_offset;
  double luma_range;
  double chroma_offset;
  double chroma_range;
};

Quantization quantization(int depth, bool full_range) {
  const double step = std::ldexp(1.0, depth - 8);
  const double peak = std::ldexp(1.0, depth) - 1.0;
  if (full_range) return {0.0, peak, 128.0 * step, peak};
  return {16.0 * step, 219.0 * step, 128.0 * step, 224.0 * step};
}

// Where chroma samples lie between luma samples: 0 = on the first, 1 = on the last of those that
// share one.
struct Siting {
  double across;
  double down;
};

Siting siting_of(int chroma_location) {
  switch (chroma_location) {
    case AVCHROMA_LOC_CENTER:
      return {0.5, 0.5};
    case AVCHROMA_LOC_TOPLEFT:
      return {0.0, 0.0};
    case AVCHROMA_LOC_TOP:
      return {0.5, 0.0};
    case AVCHROMA_LOC_BOTTOMLEFT:
      return {0.0, 1.0};
    case AVCHROMA_LOC_BOTTOM:
      return {0.5, 1.0};
    default:
      return {0.0, 0.5};
  }
}

// The same behind a turn of the frame.
Siting turned(Siting site, const Orientation& done, const AVFrame& frame) {
  if (done.transpose) std::swap(site.across, site.down);
  // The last pixel of an odd row has a sample of its own: it stays on its pixel.
  if (done.mirror_x) site.across = frame.width % 2 == 0 ? 1.0 - site.across : 0.0;
  if (done.mirror_y) site.down = frame.height % 2 == 0 ? 1.0 - site.down : 0.0;
  return site;
}

double chroma_place(int index, int shift, double site) {
  const int share = 1 << shift;
  return index * share + site * (share - 1);
}

template <typename T>
const T* row_of(const AVFrame& frame, int plane, int y) {
  return reinterpret_cast<const T*>(frame.data[plane] +
                                    static_cast<std::ptrdiff_t>(y) * frame.linesize[plane]);
}

template <typename T>
T* writable_row(AVFrame& frame, int plane, int y) {
  return reinterpret_cast<T*>(frame.data[plane] +
                              static_cast<std::ptrdiff_t>(y) * frame.linesize[plane]);
}

// Components of any whole-numbered format into planes of their own; fewer bits are stretched.
template <typename T>
void unpack(const AVFrame& from, AVFrame& to) {
  const AVPixFmtDescriptor& packed = descriptor_of(from.format);
  const AVPixFmtDescriptor& planar = descriptor_of(to.format);
  const bool grey_alpha = packed.nb_components == 2;
  std::vector<std::uint16_t> line(static_cast<std::size_t>(from.width));
  for (int i = 0; i < planar.nb_components; ++i) {
    const int component = grey_alpha ? i / 3 : i;
    const cv::Size size = component_size(from, planar, i);
    const unsigned peak = (1U << packed.comp[component].depth) - 1U;
    const unsigned wanted = (1U << planar.comp[i].depth) - 1U;
    for (int y = 0; y < size.height; ++y) {
      const std::uint8_t* planes[4] = {from.data[0], from.data[1], from.data[2], from.data[3]};
      av_read_image_line2(line.data(), planes, from.linesize, &packed, 0, y, component, size.width,
                          0, sizeof(std::uint16_t));
      T* out = writable_row<T>(to, planar.comp[i].plane, y);
      for (int x = 0; x < size.width; ++x) {
        const unsigned value = line[static_cast<std::size_t>(x)];
        out[x] = static_cast<T>(peak == wanted ? value : (value * wanted + peak / 2) / peak);
      }
    }
  }
}

// The same for 256 colours with opacity.
void unpack_palette(const AVFrame& from, AVFrame& to) {
  const auto* palette = reinterpret_cast<const std::uint32_t*>(from.data[1]);
  constexpr std::array<int, 4> kShifts = {8, 0, 16, 24};  // of green, blue, red, opacity in ARGB
  for (int y = 0; y < from.height; ++y) {
    const auto* in = row_of<std::uint8_t>(from, 0, y);
    for (int plane = 0; plane < 4; ++plane) {
      auto* out = writable_row<std::uint8_t>(to, plane, y);
      for (int x = 0; x < from.width; ++x) {
        out[x] =
            static_cast<std::uint8_t>(palette[in[x]] >> kShifts[static_cast<std::size_t>(plane)]);
      }
    }
  }
}

// Back to a format of the same numbers (nv12, p010, yuyv422, rgb24 ...).
template <typename T>
void pack(const AVFrame& from, AVFrame& to) {
  const AVPixFmtDescriptor& planar = descriptor_of(from.format);
  const AVPixFmtDescriptor& packed = descriptor_of(to.format);
  std::vector<std::uint16_t> line(static_cast<std::size_t>(from.width));
  // The bits of a component are added to those that are there.
  for (AVBufferRef* buffer : to.buf) {
    if (buffer != nullptr) std::fill_n(buffer->data, buffer->size, std::uint8_t{0});
  }
  for (int i = 0; i < planar.nb_components; ++i) {
    const cv::Size size = component_size(from, planar, i);
    for (int y = 0; y < size.height; ++y) {
      const T* in = row_of<T>(from, planar.comp[i].plane, y);
      std::copy_n(in, size.width, line.begin());
      av_write_image_line2(line.data(), to.data, to.linesize, &packed, 0, y, i, size.width,
                           sizeof(std::uint16_t));
    }
  }
}

template <typename T>
T rounded(float value, float peak) {
  const float shifted = value + 0.5F;
  const float floored = shifted > 0.0F ? shifted : 0.0F;
  return static_cast<T>(static_cast<int>(floored < peak ? floored : peak));
}

template <typename T>
constexpr float kPeak = static_cast<float>(std::numeric_limits<T>::max());

void merge(const std::uint8_t** planes, std::uint8_t* pixels, int width) {
  cv::hal::merge8u(planes, pixels, width, 3);
}

void merge(const std::uint16_t** planes, std::uint16_t* pixels, int width) {
  cv::hal::merge16u(planes, pixels, width, 3);
}

void split(const std::uint8_t* pixels, std::uint8_t** planes, int width) {
  cv::hal::split8u(pixels, planes, width, 3);
}

void split(const std::uint16_t* pixels, std::uint16_t** planes, int width) {
  cv::hal::split16u(pixels, planes, width, 3);
}

// --- Frames to pictures ---------------------------------------------------------------------

// rgb = luma * (y - luma_offset) + chroma * (u, v) , in numbers of the picture.
struct ToRgb {
  float luma_offset;
  float luma;
  float chroma_offset;
  std::array<float, 6> chroma;  // red, green, blue from u; then from v
};

ToRgb to_rgb(int depth, const ColorTags& color, double peak) {
  const Quantization code = quantization(depth, color.full_range);
  const cv::Matx33d matrix = ycc_from_rgb(color_codes(color).matrix).inv();
  ToRgb result{static_cast<float>(code.luma_offset),
               static_cast<float>(peak / code.luma_range),
               static_cast<float>(code.chroma_offset),
               {}};
  for (int channel = 0; channel < 3; ++channel) {
    const auto at = static_cast<std::size_t>(channel);
    result.chroma[at] = static_cast<float>(peak / code.chroma_range * matrix(channel, 1));
    result.chroma[at + 3] = static_cast<float>(peak / code.chroma_range * matrix(channel, 2));
  }
  return result;
}

// Rows of chroma, brought to the luma's size. T is the type of the samples.
template <typename T>
class ChromaRows {
 public:
  ChromaRows(const AVFrame& frame, const AVPixFmtDescriptor& format, Siting site, float offset)
      : frame_(frame),
        shift_x_(format.log2_chroma_w),
        shift_y_(format.log2_chroma_h),
        site_(site),
        offset_(offset),
        width_(AV_CEIL_RSHIFT(frame.width, shift_x_)),
        height_(AV_CEIL_RSHIFT(frame.height, shift_y_)),
        coarse_(static_cast<std::size_t>(width_) + 2),
        fine_(static_cast<std::size_t>(width_ + 2) << shift_x_) {}

  // One row at the luma's row y, without its offset; good until the next call.
  const float* row(int plane, int y) {
    blend_rows(plane, y);
    if (shift_x_ == 0) return coarse_.data() + 1;
    coarse_.front() = coarse_[1];
    coarse_.back() = coarse_[coarse_.size() - 2];
    if (shift_x_ == 1) {
      widen_twofold();
    } else {
      widen();
    }
    return fine_.data();
  }

 private:
  void blend_rows(int plane, int y) {
    const double share = 1 << shift_y_;
    const double place = (y - site_.down * (share - 1.0)) / share;
    const int above = static_cast<int>(std::floor(place));
    const auto weight = static_cast<float>(place - above);
    const T* __restrict first = row_of<T>(frame_, plane, std::clamp(above, 0, height_ - 1));
    const T* __restrict second = row_of<T>(frame_, plane, std::clamp(above + 1, 0, height_ - 1));
    float* __restrict out = coarse_.data() + 1;
    const float offset = offset_;
    if (weight == 0.0F) {
      for (int x = 0; x < width_; ++x) out[x] = static_cast<float>(first[x]) - offset;
      return;
    }
    for (int x = 0; x < width_; ++x) {
      const auto a = static_cast<float>(first[x]);
      const auto b = static_cast<float>(second[x]);
      out[x] = a - offset + weight * (b - a);
    }
  }

  VERGENCE_WIDE_LOOPS void widen_twofold() {
    const auto site = static_cast<float>(site_.across);
    const float left = 0.5F * site;          // of the sample before, for even pixels
    const float right = 0.5F - 0.5F * site;  // of the sample behind, for odd pixels
    const float* __restrict in = coarse_.data() + 1;
    float* __restrict out = fine_.data();
    for (std::ptrdiff_t x = 0; x < width_; ++x) {
      out[2 * x] = in[x] + left * (in[x - 1] - in[x]);
      out[2 * x + 1] = in[x] + right * (in[x + 1] - in[x]);
    }
  }

  void widen() {
    const std::ptrdiff_t share = std::ptrdiff_t{1} << shift_x_;
    const float* in = coarse_.data() + 1;
    for (std::ptrdiff_t phase = 0; phase < share; ++phase) {
      const double place =
          (static_cast<double>(phase) - site_.across * static_cast<double>(share - 1)) /
          static_cast<double>(share);
      const int before = place < 0.0 ? -1 : 0;
      const auto weight = static_cast<float>(place - before);
      for (std::ptrdiff_t x = 0; x < width_; ++x) {
        const float a = in[x + before];
        fine_[static_cast<std::size_t>(x * share + phase)] = a + weight * (in[x + before + 1] - a);
      }
    }
  }

  const AVFrame& frame_;
  int shift_x_;
  int shift_y_;
  Siting site_;
  float offset_;
  int width_;
  int height_;
  std::vector<float> coarse_;  // with one more sample at either end
  std::vector<float> fine_;
};

// Three rows of one channel each.
template <typename T>
struct ChannelRows {
  explicit ChannelRows(int width) : width_(static_cast<std::size_t>(width)), values_(width_ * 3) {}

  T* channel(int index) { return values_.data() + width_ * static_cast<std::size_t>(index); }

 private:
  std::size_t width_;
  std::vector<T> values_;
};

template <typename T>
VERGENCE_WIDE_LOOPS void matrix_row(const T* __restrict luma, const float* __restrict u,
                                    const float* __restrict v, const ToRgb& to, int width,
                                    ChannelRows<T>& rows) {
  const float offset = to.luma_offset;
  const float gain = to.luma;
  const auto [ru, gu, bu, rv, gv, bv] = to.chroma;
  T* __restrict red = rows.channel(0);
  T* __restrict green = rows.channel(1);
  T* __restrict blue = rows.channel(2);
  for (int x = 0; x < width; ++x) {
    const float grey = (static_cast<float>(luma[x]) - offset) * gain;
    red[x] = rounded<T>(grey + ru * u[x] + rv * v[x], kPeak<T>);
    green[x] = rounded<T>(grey + gu * u[x] + gv * v[x], kPeak<T>);
    blue[x] = rounded<T>(grey + bu * u[x] + bv * v[x], kPeak<T>);
  }
}

// What each number of a plane without chroma becomes; empty = itself. Exact, unlike a product in
// single precision.
std::vector<std::uint16_t> level_table(int depth, const Quantization& code) {
  const double peak = depth > 8 ? 65535.0 : 255.0;
  if (code.luma_offset == 0.0 && code.luma_range == peak) return {};
  std::vector<std::uint16_t> table(std::size_t{1} << depth);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double level = (static_cast<double>(i) - code.luma_offset) / code.luma_range;
    table[i] = static_cast<std::uint16_t>(std::lround(std::clamp(level, 0.0, 1.0) * peak));
  }
  return table;
}

template <typename T>
void look_up(const T* values, const std::vector<std::uint16_t>& table, int width, T* out) {
  if (table.empty()) {
    std::copy_n(values, width, out);
    return;
  }
  // Numbers beyond the depth occur in damaged files.
  const std::size_t last = table.size() - 1;
  for (int x = 0; x < width; ++x) {
    out[x] = static_cast<T>(table[std::min<std::size_t>(values[x], last)]);
  }
}

template <typename T>
void over_black(const T* __restrict alpha, float full, int width, ChannelRows<T>& rows) {
  for (int channel = 0; channel < 3; ++channel) {
    T* __restrict values = rows.channel(channel);
    for (int x = 0; x < width; ++x) {
      values[x] =
          rounded<T>(static_cast<float>(values[x]) * static_cast<float>(alpha[x]) / full, kPeak<T>);
    }
  }
}

// All that the rows of a frame need to know.
struct RgbRecipe {
  const AVPixFmtDescriptor& format;
  Siting site;
  ToRgb to;                          // of Y'CbCr
  std::vector<std::uint16_t> table;  // of RGB and grey
};

RgbRecipe recipe(const AVFrame& frame, const ColorTags& color, const Orientation& done) {
  const AVPixFmtDescriptor& format = descriptor_of(frame.format);
  const int depth = depth_of(format);
  RgbRecipe recipe{format, turned(siting_of(frame.chroma_location), done, frame), {}, {}};
  if (is_rgb(format) || is_grey(format)) {
    recipe.table = level_table(depth, quantization(depth, color.full_range || is_rgb(format)));
  } else {
    recipe.to = to_rgb(depth, color, depth > 8 ? 65535.0 : 255.0);
  }
  return recipe;
}

template <typename T>
void rows_to_rgb(const AVFrame& frame, const RgbRecipe& recipe, cv::Mat& picture, cv::Range range) {
  const AVPixFmtDescriptor& format = recipe.format;
  const bool grey = is_grey(format);
  ChannelRows<T> rows(frame.width);
  ChromaRows<T> cb(frame, format, recipe.site, recipe.to.chroma_offset);
  ChromaRows<T> cr(frame, format, recipe.site, recipe.to.chroma_offset);
  for (int y = range.start; y < range.end; ++y) {
    if (grey || is_rgb(format)) {
      for (int channel = 0; channel < (grey ? 1 : 3); ++channel) {
        look_up(row_of<T>(frame, format.comp[channel].plane, y), recipe.table, frame.width,
                rows.channel(channel));
      }
    } else {
      matrix_row(row_of<T>(frame, 0, y), cb.row(1, y), cr.row(2, y), recipe.to, frame.width, rows);
    }
    if (has_alpha(format)) {
      const float opaque = std::ldexp(1.0F, format.comp[3].depth) - 1.0F;
      over_black(row_of<T>(frame, format.comp[3].plane, y), opaque, frame.width, rows);
    }
    const T* channels[3] = {rows.channel(0), rows.channel(grey ? 0 : 1),
                            rows.channel(grey ? 0 : 2)};
    merge(channels, picture.ptr<T>(y), frame.width);
  }
}

// --- Pictures to frames ---------------------------------------------------------------------

// The mean over as many pixels as share a chroma sample, around its place: a box filter.
struct Tap {
  int offset;  // from the first pixel that shares the sample
  float weight;
};

std::vector<Tap> box_taps(int shift, double site) {
  const int share = 1 << shift;
  const double middle = chroma_place(0, shift, site);
  std::vector<Tap> taps;
  for (int offset = -share; offset <= 2 * share; ++offset) {
    const double begin = std::max(offset - 0.5, middle - 0.5 * share);
    const double end = std::min(offset + 0.5, middle + 0.5 * share);
    if (end > begin) taps.push_back({offset, static_cast<float>((end - begin) / share)});
  }
  return taps;
}

// y, u, v = rows of `matrix` * rgb + offset, in numbers of the frame.
struct FromRgb {
  std::array<float, 9> matrix;
  float luma_offset;
  float chroma_offset;
};

FromRgb from_rgb(int depth, const ColorTags& color, double peak) {
  const Quantization code = quantization(depth, color.full_range);
  const cv::Matx33d matrix = ycc_from_rgb(color_codes(color).matrix);
  FromRgb result{{}, static_cast<float>(code.luma_offset), static_cast<float>(code.chroma_offset)};
  for (int i = 0; i < 9; ++i) {
    const double range = i < 3 ? code.luma_range : code.chroma_range;
    result.matrix[static_cast<std::size_t>(i)] = static_cast<float>(matrix.val[i] * range / peak);
  }
  return result;
}

template <typename S, typename T>
VERGENCE_WIDE_LOOPS void scale_row(const S* __restrict values, float gain, float peak, int width,
                                   T* __restrict out) {
  for (int x = 0; x < width; ++x) out[x] = rounded<T>(static_cast<float>(values[x]) * gain, peak);
}

// Writes the rows of one frame from a picture with samples of type S; T are the frame's samples.
template <typename S, typename T>
class FrameRows {
 public:
  FrameRows(const cv::Mat& picture, const ColorTags& color, AVFrame& frame)
      : picture_(picture),
        frame_(frame),
        format_(descriptor_of(frame.format)),
        width_(picture.cols),
        peak_(std::ldexp(1.0F, depth_of(format_)) - 1.0F),
        rgb_(is_rgb(format_)),
        grey_(is_grey(format_)),
        channels_(width_),
        sum_u_(padded_width()),
        sum_v_(padded_width()) {
    if (rgb_) return;
    from_ = from_rgb(depth_of(format_), color, kPeak<S>);
    const Siting site = siting_of(frame.chroma_location);
    across_ = box_taps(format_.log2_chroma_w, site.across);
    down_ = box_taps(format_.log2_chroma_h, site.down);
  }

  // The luma rows that share the chroma row `index`, and that row.
  void write(int index) {
    const int share = 1 << chroma_shift();
    const int first = index * share;
    for (int y = first; y < std::min(first + share, frame_.height); ++y) {
      const auto channels = load(y);
      if (rgb_) {
        write_rgb(channels, y);
      } else {
        weigh(channels, 0, from_.luma_offset, writable_row<T>(frame_, 0, y));
      }
      if (has_alpha(format_)) {
        std::fill_n(writable_row<T>(frame_, format_.comp[3].plane, y), width_,
                    static_cast<T>(peak_));
      }
    }
    if (!rgb_ && !grey_) write_chroma(index);
  }

  [[nodiscard]] int chroma_shift() const { return rgb_ || grey_ ? 0 : format_.log2_chroma_h; }

 private:
  static constexpr int kMargin = 8;

  [[nodiscard]] std::size_t padded_width() const {
    return static_cast<std::size_t>(width_) + 2 * std::size_t{kMargin};
  }

  std::array<const S*, 3> load(int y) {
    const S* row = picture_.ptr<S>(y);
    if (picture_.channels() == 1) return {row, row, row};
    S* planes[3] = {channels_.channel(0), channels_.channel(1), channels_.channel(2)};
    split(row, planes, width_);
    return {planes[0], planes[1], planes[2]};
  }

  void write_rgb(const std::array<const S*, 3>& channels, int y) {
    for (int channel = 0; channel < 3; ++channel) {
      scale_row(channels[static_cast<std::size_t>(channel)], peak_ / kPeak<S>, peak_, width_,
                writable_row<T>(frame_, format_.comp[channel].plane, y));
    }
  }

  VERGENCE_WIDE_LOOPS void weigh(const std::array<const S*, 3>& channels, int part, float offset,
                                 T* __restrict out) {
    const float* weights = from_.matrix.data() + std::ptrdiff_t{3} * part;
    const float a = weights[0];
    const float b = weights[1];
    const float c = weights[2];
    const S* __restrict red = channels[0];
    const S* __restrict green = channels[1];
    const S* __restrict blue = channels[2];
    for (int x = 0; x < width_; ++x) {
      const float value = a * static_cast<float>(red[x]) + b * static_cast<float>(green[x]) +
                          c * static_cast<float>(blue[x]);
      out[x] = rounded<T>(value + offset, peak_);
    }
  }

  VERGENCE_WIDE_LOOPS void add_chroma(int y, float share) {
    const auto channels = load(std::clamp(y, 0, frame_.height - 1));
    const S* __restrict red = channels[0];
    const S* __restrict green = channels[1];
    const S* __restrict blue = channels[2];
    float* __restrict u = sum_u_.data() + kMargin;
    float* __restrict v = sum_v_.data() + kMargin;
    std::array<float, 6> m{};
    for (std::size_t i = 0; i < 6; ++i) m[i] = from_.matrix[i + 3] * share;
    for (int x = 0; x < width_; ++x) {
      const auto r = static_cast<float>(red[x]);
      const auto g = static_cast<float>(green[x]);
      const auto b = static_cast<float>(blue[x]);
      u[x] += m[0] * r + m[1] * g + m[2] * b;
      v[x] += m[3] * r + m[4] * g + m[5] * b;
    }
  }

  void write_chroma(int index) {
    std::fill(sum_u_.begin(), sum_u_.end(), 0.0F);
    std::fill(sum_v_.begin(), sum_v_.end(), 0.0F);
    for (const Tap& tap : down_) {
      add_chroma((index << format_.log2_chroma_h) + tap.offset, tap.weight);
    }
    narrow(sum_u_, writable_row<T>(frame_, 1, index));
    narrow(sum_v_, writable_row<T>(frame_, 2, index));
  }

  VERGENCE_WIDE_LOOPS void narrow(std::vector<float>& sums, T* __restrict out) {
    float* row = sums.data() + kMargin;
    std::fill_n(row - kMargin, kMargin, row[0]);
    std::fill_n(row + width_, kMargin, row[width_ - 1]);
    const int shift = format_.log2_chroma_w;
    const int count = AV_CEIL_RSHIFT(width_, shift);
    const float offset = from_.chroma_offset;
    if (across_.size() == 3 && shift == 1) {
      const float side = across_[0].weight;
      const float middle = across_[1].weight;
      const float* __restrict in = row + across_[1].offset;
      for (std::ptrdiff_t x = 0; x < count; ++x) {
        const float value = middle * in[2 * x] + side * (in[2 * x - 1] + in[2 * x + 1]);
        out[x] = rounded<T>(value + offset, peak_);
      }
      return;
    }
    if (across_.size() == 1) {
      for (int x = 0; x < count; ++x) out[x] = rounded<T>(row[x] + offset, peak_);
      return;
    }
    for (int x = 0; x < count; ++x) {
      float value = offset;
      for (const Tap& tap : across_) value += tap.weight * row[(x << shift) + tap.offset];
      out[x] = rounded<T>(value, peak_);
    }
  }

  const cv::Mat& picture_;
  AVFrame& frame_;
  const AVPixFmtDescriptor& format_;
  int width_;
  float peak_;
  bool rgb_;
  bool grey_;
  FromRgb from_{};
  std::vector<Tap> across_;
  std::vector<Tap> down_;
  ChannelRows<S> channels_;
  std::vector<float> sum_u_;
  std::vector<float> sum_v_;
};

template <typename S, typename T>
void write_frame(const cv::Mat& picture, const ColorTags& color, AVFrame& frame) {
  const AVPixFmtDescriptor& format = descriptor_of(frame.format);
  const int shift = is_rgb(format) || is_grey(format) ? 0 : format.log2_chroma_h;
  parallel_for(
      0, AV_CEIL_RSHIFT(frame.height, shift),
      [&](int first, int last) {
        FrameRows<S, T> rows(picture, color, frame);
        for (int index = first; index < last; ++index) rows.write(index);
      },
      kRowsPerTask);
}

void copy_plane(const cv::Mat& from, cv::Mat to) {
  from.copyTo(to);
}

cv::Mat luma_plane(const AVFrame& frame, int type) {
  return {frame.height, frame.width, type, frame.data[0],
          static_cast<std::size_t>(frame.linesize[0])};
}

// A picture of that size and type that nobody else looks at.
void prepare(cv::Mat& picture, cv::Size size, int type) {
  if (picture.u == nullptr || picture.u->refcount > 1) picture.release();
  picture.create(size, type);
}

template <typename Enum>
Enum code_of(const std::string& name, const char* what, int (*from_name)(const char*)) {
  const int code = from_name(name.c_str());
  if (code < 0) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' is no {} that FFmpeg knows", name, what));
  }
  return static_cast<Enum>(code);
}

std::string name_or_empty(const char* name) {
  const std::string text = name == nullptr ? "" : name;
  return text == "unknown" || text == "unspecified" ? "" : text;
}

}  // namespace

ColorCodes color_codes(const ColorTags& tags) {
  ColorCodes codes;
  if (!tags.primaries.empty()) {
    codes.primaries = code_of<AVColorPrimaries>(tags.primaries, "set of colour primaries",
                                                av_color_primaries_from_name);
  }
  if (!tags.transfer.empty()) {
    codes.transfer = code_of<AVColorTransferCharacteristic>(tags.transfer, "transfer function",
                                                            av_color_transfer_from_name);
  }
  if (!tags.matrix.empty()) {
    const std::string name = tags.matrix == "bt601" ? "smpte170m" : tags.matrix;
    codes.matrix = code_of<AVColorSpace>(name, "colour matrix", av_color_space_from_name);
  }
  if (!tags.chroma_location.empty()) {
    codes.chroma_location = code_of<AVChromaLocation>(tags.chroma_location, "chroma location",
                                                      av_chroma_location_from_name);
  }
  codes.range = tags.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  return codes;
}

ColorTags color_tags(const AVFrame& frame) {
  ColorTags tags;
  tags.primaries = name_or_empty(av_color_primaries_name(frame.color_primaries));
  tags.transfer = name_or_empty(av_color_transfer_name(frame.color_trc));
  tags.matrix = name_or_empty(av_color_space_name(frame.colorspace));
  tags.chroma_location = name_or_empty(av_chroma_location_name(frame.chroma_location));
  const AVPixFmtDescriptor& format = descriptor_of(frame.format);
  const bool full_by_format =
      is_rgb(format) || is_grey(format) || std::string_view(format.name).starts_with("yuvj");
  tags.full_range = frame.color_range == AVCOL_RANGE_UNSPECIFIED
                        ? full_by_format
                        : frame.color_range == AVCOL_RANGE_JPEG;
  return tags;
}

ColorTags resolved_tags(ColorTags tags, const std::string& pixel_format, int lines) {
  const AVPixelFormat format = av_get_pix_fmt(pixel_format.c_str());
  if (format == AV_PIX_FMT_NONE) {
    throw Error(ErrorCode::kUsage, fmt::format("'{}' is no pixel format of FFmpeg", pixel_format));
  }
  if (is_rgb(descriptor_of(format))) {
    tags.matrix = "gbr";
    tags.full_range = true;
  } else if (tags.matrix.empty() || tags.matrix == "gbr") {
    tags.matrix = lines >= 720 ? "bt709" : "smpte170m";
  }
  return tags;
}

int bits_of(const std::string& pixel_format) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(av_get_pix_fmt(pixel_format.c_str()));
  return format == nullptr ? 0 : depth_of(*format);
}

FrameToPicture::FrameToPicture(const ColorTags& color, const Orientation& done)
    : color_(color),
      done_(done) {
  // So that it fails here and not at a frame.
  if (!color.matrix.empty() && color.matrix != "gbr") ycc_from_rgb(color_codes(color).matrix);
}

const AVFrame& FrameToPicture::planar(const AVFrame& frame) {
  const AVPixFmtDescriptor& format = descriptor_of(frame.format);
  if (is_planar(format)) return frame;
  const bool palette = frame.format == AV_PIX_FMT_PAL8;
  const AVPixelFormat target = palette ? AV_PIX_FMT_GBRAP : planar_format(format);
  if (unpacked_ == nullptr || unpacked_->width != frame.width ||
      unpacked_->height != frame.height || unpacked_->format != target) {
    unpacked_ = libav::make_frame();
    unpacked_->width = frame.width;
    unpacked_->height = frame.height;
    unpacked_->format = target;
    libav::check(av_frame_get_buffer(unpacked_.get(), 0), "cannot hold a frame");
  }
  if (palette) {
    unpack_palette(frame, *unpacked_);
  } else if (depth_of(descriptor_of(target)) > 8) {
    unpack<std::uint16_t>(frame, *unpacked_);
  } else {
    unpack<std::uint8_t>(frame, *unpacked_);
  }
  unpacked_->chroma_location = frame.chroma_location;
  return *unpacked_;
}

void FrameToPicture::rgb(const AVFrame& frame, cv::Mat& picture) {
  const AVFrame& source = planar(frame);
  const RgbRecipe how = recipe(source, color_, done_);
  const bool deep = depth_of(how.format) > 8;
  prepare(picture, {source.width, source.height}, deep ? CV_16UC3 : CV_8UC3);
  parallel_for(
      0, source.height,
      [&](int first, int last) {
        if (deep) {
          rows_to_rgb<std::uint16_t>(source, how, picture, {first, last});
        } else {
          rows_to_rgb<std::uint8_t>(source, how, picture, {first, last});
        }
      },
      kRowsPerTask);
}

void FrameToPicture::luminance(const AVFrame& frame, cv::Mat& picture) {
  if (is_rgb(descriptor_of(frame.format))) {
    cv::Mat colours;
    rgb(frame, colours);
    prepare(picture, colours.size(), CV_MAKETYPE(colours.depth(), 1));
    cv::cvtColor(colours, picture, cv::COLOR_RGB2GRAY);
    return;
  }
  const AVFrame& source = planar(frame);
  const bool deep = depth_of(descriptor_of(source.format)) > 8;
  const int type = deep ? CV_16UC1 : CV_8UC1;
  prepare(picture, {source.width, source.height}, type);
  copy_plane(luma_plane(source, type), picture);
}

PictureToFrame::PictureToFrame(cv::Size size, const std::string& pixel_format,
                               const ColorTags& color)
    : size_(size),
      format_(av_get_pix_fmt(pixel_format.c_str())),
      color_(resolved_tags(color, pixel_format, size.height)) {
  // So that it fails here and not at a frame.
  if (!is_planar(descriptor_of(format_))) static_cast<void>(planar_format(descriptor_of(format_)));
  if (!is_rgb(descriptor_of(format_))) ycc_from_rgb(color_codes(color_).matrix);
}

AVFrame& PictureToFrame::free_frame(std::vector<libav::FramePtr>& pool, int format) const {
  for (const auto& frame : pool) {
    if (av_frame_is_writable(frame.get()) > 0) return *frame;
  }
  libav::FramePtr frame = libav::make_frame();
  frame->width = size_.width;
  frame->height = size_.height;
  frame->format = format;
  libav::check(av_frame_get_buffer(frame.get(), 0), "cannot hold a frame");
  const ColorCodes codes = color_codes(color_);
  frame->color_primaries = static_cast<AVColorPrimaries>(codes.primaries);
  frame->color_trc = static_cast<AVColorTransferCharacteristic>(codes.transfer);
  frame->colorspace = static_cast<AVColorSpace>(codes.matrix);
  frame->color_range = static_cast<AVColorRange>(codes.range);
  frame->chroma_location = static_cast<AVChromaLocation>(codes.chroma_location);
  return *pool.emplace_back(std::move(frame));
}

AVFrame& PictureToFrame::convert(const cv::Mat& picture) {
  const int depth = picture.depth();
  const bool known =
      (depth == CV_8U || depth == CV_16U) && (picture.channels() == 3 || picture.channels() == 1);
  if (!known || picture.size() != size_) {
    throw std::invalid_argument("a frame needs an 8- or 16-bit RGB or grey picture of its size");
  }
  const AVPixFmtDescriptor& format = descriptor_of(format_);
  AVFrame& result = free_frame(frames_, format_);
  const bool direct = is_planar(format);
  AVFrame& target = direct ? result : free_frame(planar_frames_, planar_format(format));
  const int bits = depth_of(descriptor_of(target.format));
  const bool deep = bits > 8;
  if (picture.channels() == 1 && is_grey(format) && bits == (depth == CV_8U ? 8 : 16)) {
    copy_plane(picture, luma_plane(target, picture.type()));
  } else if (depth == CV_8U) {
    deep ? write_frame<std::uint8_t, std::uint16_t>(picture, color_, target)
         : write_frame<std::uint8_t, std::uint8_t>(picture, color_, target);
  } else {
    deep ? write_frame<std::uint16_t, std::uint16_t>(picture, color_, target)
         : write_frame<std::uint16_t, std::uint8_t>(picture, color_, target);
  }
  if (direct) return result;
  deep ? pack<std::uint16_t>(target, result) : pack<std::uint8_t>(target, result);
  return result;
}

}  // namespace vergence::media
