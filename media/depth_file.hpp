// SPDX-License-Identifier: Apache-2.0
// Depth maps in and out: EXR, PFM, NPY, 16-bit PNG, TIFF and DPT files; NPZ in.
#pragma once

#include "core/depth.hpp"
#include "media/sidecar.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

namespace vergence::media {

// What the caller knows better than the file; what is left out is taken from the sidecar, and
// without one from the defaults named here.
struct DepthReadOptions {
  std::optional<DepthKind> kind = std::nullopt;  // default: distance
  std::optional<double> scale =
      std::nullopt;  // value = scale * stored; default 1, for PNG default_png_scale()
};

// Reads a depth map; the format is told by content (DPT and headerless cases by extension).
// - EXR: the channel Z, depth, R, Y or V (also behind a layer name), else the only or first one.
// - PFM ("Pf"), one channel; NPY (or the first array of an NPZ): 2-D, or 3-D with one channel,
//   f2 f4 f8, signed and unsigned integers, either byte order, C or Fortran order; DPT (magic
//   202021.25); TIFF of one channel.
// - 16-bit PNG, grey: for distances and planar depths 0 and 65535 mean "no value"; for other kinds
//   0 does so only if a sidecar of ours stands beside the file (networks elsewhere stretch their
//   disparity over the full range). 8-bit grey is taken for disparities only.
// Values that are not finite become NaN, and so do distances, planar and inverse depths <= 0.
// Throws Error naming the file and the cause; Radiance HDR is refused because it loses precision.
[[nodiscard]] AnyDepth read_depth(const std::filesystem::path& path,
                                  const DepthReadOptions& options = {});

// Writes a depth map by the extension (.exr .pfm .npy .png .tif .tiff .dpt) and its sidecar, each
// whole or not at all. `info.kind`, size, min and max are taken from the map. Invalid pixels are
// NaN (EXR, NPY, TIFF, DPT), +infinity (PFM, as Middlebury has it) or 0 (PNG). A PNG saturates at
// 65535; the share of such pixels is warned about. Throws Error for an unknown extension or a
// failed write.
void write_depth(const std::filesystem::path& path, const AnyDepth& depth,
                 const DepthFileInfo& info);

// What one step of a 16-bit PNG is worth unless something is said: a millimetre (0.001) for
// distances and planar depths, a pixel (1) for pixel disparities, 1/65535 for all else.
[[nodiscard]] double default_png_scale(DepthKind kind);

// Extensions (lower case, with the dot) that write_depth knows.
[[nodiscard]] std::span<const std::string_view> depth_extensions();

}  // namespace vergence::media
