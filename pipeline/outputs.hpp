// SPDX-License-Identifier: Apache-2.0
// Which input becomes which file, checked before any work begins; and files that appear together.
#pragma once

#include "core/error.hpp"

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vergence::pipeline {

// How a command names its results.
struct OutputNaming {
  std::string suffix;                            // behind the input's name: "_depth"
  std::string extension;                         // with the dot, where the user names none
  std::span<const std::string_view> extensions;  // that the command can write
};

struct BatchItem {
  std::filesystem::path input;
  std::filesystem::path output;
};

// The pictures behind the arguments: a folder stands for the pictures in it, sorted by name,
// without those that a job has written there (NAME_depth.*, NAME_depth_preview.*). Throws Error for
// a folder without pictures; files are not looked at.
[[nodiscard]] std::vector<std::filesystem::path> expand_inputs(
    std::span<const std::string> arguments);

// Names every output: `output` itself for one input; NAME+suffix+extension in it where it is a
// folder, ends in "/", or there are several inputs (the folder is then made); beside the input
// where `output` is empty. Throws Error(kUsage) when the extension is not one of the command's, two
// inputs would write one file, or an output is one of the inputs; Error when an output cannot be
// written.
[[nodiscard]] std::vector<BatchItem> plan_batch(std::span<const std::string> arguments,
                                                const std::filesystem::path& output,
                                                const OutputNaming& naming);

// Makes a folder and those above it. Throws Error with the reason.
void make_folder(const std::filesystem::path& folder);

// Throws Error(kUsage) where two inputs would write one file, or an output is one of the inputs,
// however their names are written.
void check_outputs(std::span<const BatchItem> items);

// Whether it exists and is neither a file nor a folder (a device, a pipe).
[[nodiscard]] bool is_device(const std::filesystem::path& path);

// Throws Error where `path` could not be written now; leaves nothing behind.
void check_writable(const std::filesystem::path& path);

// `error` with every `hidden` in its text replaced by `shown`: about the place that the user knows.
[[nodiscard]] Error with_place(const Error& error, const std::string& hidden,
                               const std::string& shown);

// Calls write(PATH) with a name like `path` in a hidden folder beside it; when all that it wrote
// there is whole, moves it beside `path`, `path` itself last. Into a device goes only the file of
// that name, made with `device_extension`. Messages speak of `path`. Returns the final paths that
// exist, `path` first.
std::vector<std::filesystem::path> write_together(
    const std::filesystem::path& path, std::string_view device_extension,
    const std::function<void(const std::filesystem::path&)>& write);

}  // namespace vergence::pipeline
