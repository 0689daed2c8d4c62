// SPDX-License-Identifier: Apache-2.0
// The table of commands: what each takes, and what its help says.
#include "cli/command_line.hpp"

#include <algorithm>
#include <limits>

namespace vergence::cli {
namespace {

constexpr int kAnyNumber = std::numeric_limits<int>::max();

const Flag kOutput{"-o,--output", "PATH", "", &CommandLine::output, ""};

Flag output_flag(const char* help) {
  Flag flag = kOutput;
  flag.help = help;
  return flag;
}

const std::vector<Command>& table() {
  static const std::vector<Command> kCommands = {
      {"depth",
       "INPUT... [-o OUT] [key=value...]",
       "depth of a photo, a 360 photo, or a folder of them",
       "Writes ray distances (.exr, .pfm, .npy, 16-bit .png) with a sidecar .toml and a colour "
       "preview.\nOUT is a file for one input, a folder for several; without it NAME_depth.exr "
       "appears beside\neach input. A folder as INPUT stands for the pictures in it.",
       1,
       kAnyNumber,
       {output_flag("where to write"),
        {"--depth", "FILE", "input.depth", nullptr, "your own depth instead of a prediction"}},
       {"device", "threads", "input", "view", "mask", "views", "predictor", "alignment", "fusion",
        "sky", "scale", "output.depth_format", "output.png_scale", "output.preview",
        "output.preview_colormap", "output.preview_percentile_low",
        "output.preview_percentile_high"}},
      {"mesh",
       "INPUT [-o OUT.glb|gltf|fbx|obj|ply] [--depth FILE] [key=value...]",
       "textured mesh, point cloud or splats",
       "The format is that of OUT's extension; without OUT NAME.glb appears beside the input. "
       "INPUT may be\nleft out where --depth gives a depth file: the mesh then has no picture.",
       0,
       kAnyNumber,
       {output_flag("where to write"),
        {"--depth", "FILE", "input.depth", nullptr, "your own depth instead of a prediction"}},
       {"device", "threads", "input", "view", "mask", "views", "predictor", "alignment", "fusion",
        "sky", "scale", "mesh"}},
      {"sbs",
       "INPUT... [-o OUT] [key=value...]",
       "flat photos and videos become 3D ones",
       "Photos, videos, folders of them, .txt lists (one file a line), iw3_export.yml; - is a pipe "
       "(y4m,\nMatroska). OUT is a file for one input (- = stdout), a folder for several; without "
       "it a file named\nafter the layout, for example NAME_LRF_Full_SBS.png, appears beside each "
       "input. A video that was\ninterrupted goes on when the same command is given again.",
       1,
       kAnyNumber,
       {output_flag("where to write"),
        {"--depth", "FILE", "input.depth", nullptr, "your own depth instead of a prediction"},
        {"-r,--recursive", "", "batch.recursive", nullptr, "folders of folders too"},
        {"--skip-existing", "", "batch.skip_existing", nullptr,
         "leave out inputs whose output is there"},
        {"--preview", "", "output.preview_sheet", nullptr,
         "only a sheet: picture, depth, both eyes, comfort"},
        {"--find-param", "NAMES", "", &CommandLine::find_param,
         "only a sheet of several values of divergence,convergence ..."}},
       {"device", "threads", "input", "predictor", "stereo", "temporal", "video", "batch", "names",
        "output.stereo_format", "output.jpeg_quality", "output.metadata", "output.max_width_px",
        "output.max_height_px", "output.letterbox", "output.autocrop", "output.preview_sheet",
        "output.depth_export"}},
      {"vr180",
       "INPUT... [-o OUT] [key=value...]",
       "360 and flat photos and videos become VR180 or 360-3D",
       "Photos, videos, folders of them, .txt lists (one file a line); - is a pipe (y4m, "
       "Matroska). "
       "OUT is a\nfile for one input, a folder for several; without it a file that players know by "
       "its name, for\nexample NAME_180_LR.mp4, appears beside each input. Photos: .jpg, .png, "
       ".webp, "
       ".tif, .avif with both\neyes in one picture, .vr.jpg, .mpo, .heic with two. What the input "
       "shows is told by its metadata, name\nand shape, or by input.projection=. A video that was "
       "interrupted goes on when the same command is\ngiven again.",
       1,
       kAnyNumber,
       {output_flag("where to write"),
        {"--depth", "FILE", "input.depth", nullptr, "your own depth instead of a prediction"},
        {"-r,--recursive", "", "batch.recursive", nullptr, "folders of folders too"},
        {"--skip-existing", "", "batch.skip_existing", nullptr,
         "leave out inputs whose output is there"},
        {"--preview", "", "output.preview_sheet", nullptr,
         "only a sheet: both eyes, depth; time and disk for the rest"}},
       {"device",
        "threads",
        "input",
        "view",
        "mask",
        "views",
        "predictor",
        "alignment",
        "fusion",
        "sky",
        "scale",
        "vr",
        "stereo.ipd_mm",
        "stereo.surround",
        "limits",
        "temporal",
        "video",
        "batch",
        "names",
        "output.metadata",
        "output.jpeg_quality",
        "output.apple",
        "output.preview_sheet"}},
      {"views",
       "INPUT -o DIR [key=value...]",
       "the tangent views of a 360 photo, for networks run elsewhere",
       "Writes view_00.png ... and views.json. Their maps come back with predictor=files\n"
       "predictor.path=DIR.",
       1,
       1,
       {output_flag("the folder")},
       {"input", "view", "mask", "views"}},
      {"tag",
       "FILE... --as LAYOUT [-o OUT]",
       "tell players that a file is 3D, 180 or 360, without encoding it",
       "LAYOUT: vr180-sbs, vr180-tb, 180, 360, 360-tb, 360-sbs, sbs, tb, half-sbs, half-tb, "
       "cubemap, "
       "none.\nVideos (.mp4, .mov, .mkv, .webm) and JPEG photos; pictures and sound stay byte by "
       "byte. "
       "The file\nkeeps its name and is whole at any moment; -o OUT leaves it alone. What "
       "contradicts "
       "the new tags goes.",
       1,
       kAnyNumber,
       {output_flag("where to write, instead of changing the file"),
        {"--as", "LAYOUT", "tag.as", nullptr, "what the file is"},
        {"--fov", "DEG", "tag.fov_deg", nullptr, "how wide each eye's picture is"},
        {"--v1", "", "tag.v1", nullptr, "also the older tag, which means 360 degrees to players"},
        {"--apple", "", "output.apple", nullptr, "also Apple's boxes, of H.265 (experimental)"}},
       {"tag"}},
      {"probe",
       "FILE... [--json FILE|-]",
       "what a video or photo says of itself, and what players take it for",
       "Tells what stands in boxes, bitstream, XMP, file name and size, what each family of "
       "players "
       "makes of\nit, where they disagree, and what to do.",
       1,
       kAnyNumber,
       {{"--json", "FILE", "", &CommandLine::json, "also write JSON; - = to stdout, no text"}},
       {}},
      {"eval",
       "--pred P --gt G [--align HOW] [--sphere] [--mask M] [--cap M] | --stereo LEFT RIGHT REF "
       "[--disparity D] [--json FILE|-]",
       "metrics of depth, or of a synthesised view",
       "With --stereo, three pictures of one size: LEFT is the source, RIGHT the right eye's view "
       "that was\nmade from it, REF the real right picture. D is LEFT's disparity in pixels "
       "(input of the protocol's\ninner, visible and disoccluded PSNR).",
       0,
       3,
       {{"--pred", "FILE", "", &CommandLine::prediction, "the prediction"},
        {"--gt", "FILE", "", &CommandLine::ground_truth, "the ground truth"},
        {"--align", "HOW", "eval.align", nullptr, "none, median, scale, disparity or depth"},
        {"--sphere", "", "eval.sphere", nullptr, "both are full panoramas: weigh by area too"},
        {"--mask", "PICTURE", "eval.mask", nullptr, "black pixels are ignored"},
        {"--stereo", "", "eval.stereo", nullptr, "compare pictures: LEFT RIGHT REF"},
        {"--disparity", "FILE", "eval.disparity", nullptr, "disparity of LEFT"},
        {"--cap", "METRES", "eval.cap_m", nullptr, "ground truth beyond is ignored"},
        {"--json", "FILE", "", &CommandLine::json, "also write JSON; - = to stdout, no table"}},
       {"eval"}},
      {"models",
       "list|info|verify|fetch [NAME...] [key=value...]",
       "known networks: what they are, and their files",
       "  list              what is known: licence, size, where its file is\n"
       "  info NAME...      all that the model card tells\n"
       "  verify [NAME...]  SHA-256 of files against card or first fetch; a FILE will do too\n"
       "  fetch NAME...     download the official file; goes on where it was cut off",
       1,
       kAnyNumber,
       {{"--to", "DIR", "models.folder", nullptr, "fetch into this folder"},
        {"--url", "URL", "models.url", nullptr, "fetch from this address"},
        {"--force", "", "models.force", nullptr, "fetch also what is there already"},
        {"--accept-license", "", "models.accept_license", nullptr,
         "agree to licences without commercial use"},
        {"--json", "FILE", "", &CommandLine::json,
         "list, info, verify: also write JSON; - = to stdout"}},
       {"models"}},
      {"compare",
       "RUN RUN... [--json FILE|-]",
       "what differs between runs: settings and results",
       "RUN is the folder of a job that kept a record, or of a multirun, which stands for its "
       "jobs.",
       1,
       kAnyNumber,
       {{"--json", "FILE", "", &CommandLine::json, "also write JSON; - = to stdout, no table"}},
       {}},
      {"collect",
       "DIR [--wait]",
       "the results of a multirun that was left to a cluster",
       "DIR is the folder of a multirun with launcher.wait=false. Jobs that Slurm has lost are "
       "submitted again\nonce. Writes the summary; with --wait after all jobs have ended.",
       1,
       1,
       {},
       {}},
      {"config",
       "[key=value...] [--resolve] [--package KEY] | --save NAME key=value...",
       "print the composed configuration, or keep arguments as a preset",
       "Prints TOML that composes to the same again; with --multirun the jobs that a sweep makes. "
       "With --save the arguments become the preset "
       "NAME in the\nuser's own folder ($XDG_CONFIG_HOME/vergence, else ~/.config/vergence); "
       "preset=NAME stands for them then.",
       0,
       0,
       {{"--save", "NAME", "", &CommandLine::save_as, "keep the arguments as preset=NAME"},
        {"--force", "", "", &CommandLine::force, "with --save: write over a preset of that name"},
        {"--reference", "", "", &CommandLine::reference,
         "print what every group and key is, as Markdown"}},
       {"device", "threads"}},
      {"completion",
       "bash|zsh|fish",
       "print the shell's completion of commands, flags, groups, keys, values and files",
       "bash: eval \"$(vergence completion bash)\" in ~/.bashrc. zsh: the same in ~/.zshrc behind "
       "compinit.\nfish: vergence completion fish | source, in ~/.config/fish/config.fish.",
       1,
       1,
       {},
       {}},
  };
  return kCommands;
}

}  // namespace

std::span<const Command> commands() {
  return table();
}

const Command* find_command(std::string_view name) {
  const auto found = std::find_if(commands().begin(), commands().end(),
                                  [&](const Command& command) { return command.name == name; });
  return found == commands().end() ? nullptr : &*found;
}

}  // namespace vergence::cli
