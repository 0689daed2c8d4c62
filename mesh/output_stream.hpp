// SPDX-License-Identifier: Apache-2.0
// Files that are written piece by piece and appear when they are whole.
#pragma once

#include "core/output_file.hpp"

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace vergence::mesh {

class OutputStream {
 public:
  // Throws Error as OutputFile does.
  explicit OutputStream(const std::filesystem::path& destination);
  OutputStream(const OutputStream&) = delete;
  OutputStream& operator=(const OutputStream&) = delete;
  ~OutputStream();

  // Throws Error naming the destination and the reason.
  void write(std::string_view bytes);

  // Closes the file and gives it its final name. Throws Error likewise.
  void commit();

 private:
  std::filesystem::path destination_;
  OutputFile file_;
  int descriptor_ = -1;
};

// Files that belong together: all of them appear, the first one last, or none.
class OutputSet {
 public:
  // Opens one more file. Throws Error as OutputFile does.
  OutputStream& add(const std::filesystem::path& destination);

  // Throws Error naming the file that could not be finished, after taking the others back.
  void commit();

  [[nodiscard]] const std::vector<std::filesystem::path>& paths() const { return paths_; }

 private:
  std::vector<std::filesystem::path> paths_;
  std::vector<std::unique_ptr<OutputStream>> streams_;
};

}  // namespace vergence::mesh
