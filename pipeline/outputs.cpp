// SPDX-License-Identifier: Apache-2.0
#include "pipeline/outputs.hpp"

#include "core/error.hpp"
#include "core/output_file.hpp"
#include "core/text.hpp"
#include "media/picture.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

namespace vergence::pipeline {
namespace fs = std::filesystem;

namespace {

bool knows(const OutputNaming& naming, const fs::path& path) {
  return std::find(naming.extensions.begin(), naming.extensions.end(),
                   lower(path.extension().string())) != naming.extensions.end();
}

bool is_own_result(const fs::path& path) {
  const auto stem = path.stem().string();
  return stem.ends_with("_depth") || stem.ends_with("_depth_preview");
}

void check_extension(const fs::path& output, const OutputNaming& naming) {
  if (knows(naming, output)) return;
  const std::vector<std::string> known(naming.extensions.begin(), naming.extensions.end());
  throw Error(ErrorCode::kUsage,
              fmt::format("cannot tell the format of '{}': unknown extension '{}'", output.string(),
                          output.extension().string()))
      .hint("end it in " + quoted_list(known));
}

fs::path named_after(const fs::path& input, const fs::path& folder, const OutputNaming& naming) {
  return folder / (input.stem().string() + naming.suffix + naming.extension);
}

// One name per file, however it is written.
fs::path identity(const fs::path& path) {
  std::error_code error;
  const auto whole = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : whole;
}

// A scratch folder for what a device cannot hold.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (fs::temp_directory_path() / "vergence-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw Error(fmt::format("cannot make the folder '{}': {}", pattern, reason_from_errno(errno)))
          .hint("set TMPDIR to a folder that can be written");
    }
    path_ = pattern;
  }

  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(fmt::format("cannot make the folder '{}': {}", folder.string(),
                            reason_from_errno(error.value())));
  }
}

void check_outputs(std::span<const BatchItem> items) {
  std::map<fs::path, fs::path> inputs;
  std::map<fs::path, fs::path> outputs;
  for (const auto& item : items) inputs.emplace(identity(item.input), item.input);
  for (const auto& item : items) {
    if (is_device(item.output)) continue;
    const auto place = identity(item.output);
    if (inputs.contains(place)) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("the output '{}' is an input too", item.output.string()))
          .hint("name another one with -o");
    }
    const auto [other, is_new] = outputs.emplace(place, item.input);
    if (!is_new) {
      throw Error(ErrorCode::kUsage,
                  fmt::format("'{}' and '{}' would both be written to '{}'", other->second.string(),
                              item.input.string(), item.output.string()))
          .hint("run them one by one, each with its own -o");
    }
  }
}

bool is_device(const fs::path& path) {
  std::error_code ignored;
  const auto status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

void check_writable(const fs::path& path) {
  if (is_device(path)) return;
  const OutputFile probe(path);
}

std::vector<fs::path> expand_inputs(std::span<const std::string> arguments) {
  std::vector<fs::path> inputs;
  for (const auto& argument : arguments) {
    std::error_code ignored;
    if (!fs::is_directory(argument, ignored)) {
      inputs.emplace_back(argument);
      continue;
    }
    std::vector<fs::path> found;
    try {
      for (const auto& entry : fs::directory_iterator(argument)) {
        if (!entry.is_directory() && media::is_picture_file(entry.path()) &&
            !is_own_result(entry.path())) {
          found.push_back(entry.path());
        }
      }
    } catch (const fs::filesystem_error& error) {
      throw Error(
          fmt::format("cannot read '{}': {}", argument, reason_from_errno(error.code().value())));
    }
    if (found.empty()) {
      throw Error(fmt::format("there are no pictures in the folder '{}'", argument))
          .hint("name a folder with pictures, or the files themselves");
    }
    std::sort(found.begin(), found.end());
    inputs.insert(inputs.end(), found.begin(), found.end());
  }
  return inputs;
}

std::vector<BatchItem> plan_batch(std::span<const std::string> arguments, const fs::path& output,
                                  const OutputNaming& naming) {
  const auto inputs = expand_inputs(arguments);
  std::error_code ignored;
  const bool of_folder = std::any_of(arguments.begin(), arguments.end(), [](const auto& argument) {
    std::error_code error;
    return fs::is_directory(argument, error);
  });
  const bool several = inputs.size() > 1 || of_folder;
  const bool is_folder = fs::is_directory(output, ignored) && !knows(naming, output);
  const bool into_folder = !output.empty() && (is_folder || several || !output.has_filename());
  if (several && !is_folder && output.has_extension()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("several inputs cannot be written to one file '{}'", output.string()))
        .hint("name a folder with -o");
  }
  std::vector<BatchItem> items;
  for (const auto& input : inputs) {
    BatchItem item{input, output};
    if (output.empty()) item.output = named_after(input, input.parent_path(), naming);
    if (into_folder) item.output = named_after(input, output, naming);
    if (!is_device(item.output)) check_extension(item.output, naming);
    items.push_back(item);
  }
  check_outputs(items);
  if (into_folder && !is_folder) make_folder(output);
  if (!output.empty()) check_writable(items.front().output);
  return items;
}

Error with_place(const Error& error, const std::string& hidden, const std::string& shown) {
  std::string text = error.what();
  for (auto at = text.find(hidden); at != std::string::npos; at = text.find(hidden, at)) {
    text.replace(at, hidden.size(), shown);
    at += shown.size();
  }
  return {error.code(), text};
}

std::vector<fs::path> write_together(const fs::path& path, std::string_view device_extension,
                                     const std::function<void(const fs::path&)>& write) {
  if (is_device(path)) {
    const ScratchFolder scratch;
    const auto file = scratch.path() / (std::string("result") + std::string(device_extension));
    write(file);
    write_file(path, read_file(file));
    return {path};
  }
  // Where a link points, as core/output_file.hpp has it.
  const fs::path place =
      fs::is_symlink(fs::symlink_status(path)) && fs::exists(path) ? fs::canonical(path) : path;
  check_writable(place);
  const fs::path folder = place.parent_path();
  OutputFolder stage(folder);
  try {
    write(stage.path() / place.filename());
  } catch (const Error& error) {
    throw with_place(error, stage.path().string() + "/",
                     folder.empty() ? "" : (folder / "").string());
  }
  std::vector<fs::path> written{path};
  for (const auto& entry : fs::directory_iterator(stage.path())) {
    if (entry.path().filename() != place.filename()) {
      written.push_back(folder / entry.path().filename());
    }
  }
  std::sort(written.begin() + 1, written.end());
  stage.commit(place.filename().string());
  return written;
}

}  // namespace vergence::pipeline
