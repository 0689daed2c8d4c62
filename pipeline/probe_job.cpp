// SPDX-License-Identifier: Apache-2.0
#include "pipeline/probe_job.hpp"

#include "pipeline/file_signs.hpp"
#include "pipeline/players.hpp"

#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vergence::pipeline {
namespace {

using media::SphericalTag;
using media::StereoTag;
using nlohmann::json;

std::string words_of(const std::optional<SphericalTag>& tag, StereoTag stereo) {
  if (!tag && stereo == StereoTag::kNone) return "nothing";
  std::string eyes = stereo == StereoTag::kSideBySide  ? "side by side"
                     : stereo == StereoTag::kTopBottom ? "top-bottom"
                     : stereo == StereoTag::kNone      ? "one picture"
                                                       : "interleaved eyes";
  if (!tag) return eyes + ", flat";
  switch (tag->projection) {
    case SphericalTag::Projection::kCubemap:
      return eyes + ", cube map";
    case SphericalTag::Projection::kMesh:
      return eyes + ", mesh of its own";
    case SphericalTag::Projection::kFisheye:
      return eyes + ", fisheye";
    case SphericalTag::Projection::kEquirectangular:
      break;
  }
  if (tag->left + tag->right >= 1.0 || tag->top + tag->bottom >= 1.0) {
    return eyes + ", equirectangular, but nothing of it";
  }
  return fmt::format("{}, equirectangular {:.4g} x {:.4g} degrees", eyes,
                     360 * (1 - tag->left - tag->right), 180 * (1 - tag->top - tag->bottom));
}

// What the file says, a line for each kind of sign.
std::vector<std::pair<std::string, std::string>> statements(const FileSigns& signs) {
  std::vector<std::pair<std::string, std::string>> lines;
  if (signs.boxes) {
    const auto& boxes = *signs.boxes;
    std::string v2 = words_of(boxes.sv3d, media::stereo_of_st3d(boxes.st3d));
    if (boxes.st3d == 4) v2 += ", right eye first";
    if (!boxes.sv3d_tool.empty()) v2 += fmt::format(" (by {})", boxes.sv3d_tool);
    lines.emplace_back("boxes st3d, sv3d", v2);
    if (boxes.v1) {
      const std::string mode =
          boxes.v1->stereo_mode.empty() ? "one picture" : boxes.v1->stereo_mode;
      lines.emplace_back("older tag (V1)", boxes.v1->spherical ? "360 degrees, " + mode : mode);
    }
    if (boxes.apple) {
      std::string apple =
          boxes.apple->projection.empty() ? "no projection" : boxes.apple->projection;
      if (!boxes.apple->packing.empty()) apple += ", eyes packed: " + boxes.apple->packing;
      if (boxes.apple->hfov_deg > 0)
        apple += fmt::format(", {:.4g} degrees", boxes.apple->hfov_deg);
      lines.emplace_back("Apple's vexu, hfov", apple);
    }
    if (boxes.eyes_in_layers) lines.emplace_back("layers", "one for each eye (MV-HEVC)");
    if (boxes.ambisonic) lines.emplace_back("sound", "ambisonic (SA3D)");
    if (boxes.encrypted) lines.emplace_back("pictures", "encrypted");
  } else {
    lines.emplace_back(signs.container == "photo" ? "XMP (GPano)" : "container",
                       words_of(signs.spherical, signs.stereo));
  }
  if (!signs.pair.empty()) lines.emplace_back("eyes", "two pictures: " + signs.pair);
  if (signs.container != "photo") {
    lines.emplace_back("bitstream", signs.bitstream == StereoTag::kNone
                                        ? "nothing"
                                        : words_of(std::nullopt, signs.bitstream));
  }
  const auto name = belief_of_name(signs.stem, signs.size, false);
  lines.emplace_back("file name", name ? to_string(*name) : "nothing");
  lines.emplace_back("size", fmt::format("{} x {}", signs.size.width, signs.size.height));
  return lines;
}

json json_of(const std::optional<SphericalTag>& tag) {
  if (!tag) return nullptr;
  constexpr std::string_view kNames[] = {"equirectangular", "cubemap", "mesh", "fisheye"};
  return {
      {"projection", kNames[static_cast<int>(tag->projection)]},
      {"bounds",
       {{"top", tag->top}, {"bottom", tag->bottom}, {"left", tag->left}, {"right", tag->right}}},
      {"pose_deg", {{"yaw", tag->yaw_deg}, {"pitch", tag->pitch_deg}, {"roll", tag->roll_deg}}}};
}

json json_of_boxes(const media::VideoTagFacts& boxes) {
  json object = {{"sv3d", json_of(boxes.sv3d)},        {"video_tracks", boxes.num_video_tracks},
                 {"sample_entry", boxes.sample_entry}, {"mv_hevc", boxes.eyes_in_layers},
                 {"ambisonic", boxes.ambisonic},       {"encrypted", boxes.encrypted},
                 {"fragmented", boxes.fragmented}};
  object["st3d"] = boxes.st3d ? json(*boxes.st3d) : json(nullptr);
  object["v1"] = nullptr;
  if (boxes.v1) {
    object["v1"] = {{"spherical", boxes.v1->spherical},
                    {"stereo_mode", boxes.v1->stereo_mode},
                    {"cropped", boxes.v1->cropped}};
  }
  object["apple"] = nullptr;
  if (boxes.apple) {
    object["apple"] = {{"projection", boxes.apple->projection},
                       {"packing", boxes.apple->packing},
                       {"hfov_deg", boxes.apple->hfov_deg}};
  }
  return object;
}

// Names of files may hold any bytes.
std::string dumped(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace

ProbeReport probe_file(const std::filesystem::path& path) {
  const FileSigns signs = signs_of(path);
  const auto verdicts = verdicts_on(signs);
  auto warnings = warnings_about(signs, path.filename().string());
  const auto tags = belief_of_tags(signs);
  if (tags) {
    if (const auto odd = unlike_eyes(path, tags->stereo)) warnings.push_back(*odd);
  }
  ProbeReport report;
  report.text = fmt::format("{}: {}{}\n", path.string(), signs.container,
                            signs.codec.empty() ? "" : ", " + signs.codec);
  json says = json::object();
  for (const auto& [sign, words] : statements(signs)) {
    report.text += fmt::format("  {:<26}{}\n", sign, words);
    says[sign] = words;
  }
  json players = json::array();
  report.text += "  players\n";
  for (const Verdict& verdict : verdicts) {
    const std::string shown = verdict.belief ? to_string(*verdict.belief) : "refused";
    const std::string remark = verdict.remark.empty() ? "" : fmt::format(" ({})", verdict.remark);
    report.text += fmt::format("    {:<24}{}{}\n", verdict.player, shown, remark);
    players.push_back({{"player", verdict.player},
                       {"goes_by", verdict.goes_by},
                       {"shows", shown},
                       {"remark", verdict.remark}});
  }
  for (const std::string& warning : warnings) report.text += "  warning: " + warning + "\n";
  report.json = dumped({{"file", path.string()},
                        {"container", signs.container},
                        {"codec", signs.codec},
                        {"size", {signs.size.width, signs.size.height}},
                        {"says", says},
                        {"boxes", signs.boxes ? json_of_boxes(*signs.boxes) : json(nullptr)},
                        {"tags", tags ? json(to_string(*tags)) : json(nullptr)},
                        {"players", players},
                        {"warnings", warnings}});
  return report;
}

std::string json_of(const std::vector<ProbeReport>& reports) {
  json all = json::array();
  for (const ProbeReport& report : reports) all.push_back(json::parse(report.json));
  return dumped(all);
}

}  // namespace vergence::pipeline
