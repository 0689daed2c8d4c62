// SPDX-License-Identifier: Apache-2.0
// Reader for the files of Python's torch.save: the zip format (PyTorch >= 1.6) and the one before
// it. Layouts: torch/serialization.py and torch/_utils.py of PyTorch 0.4 to 2.x.
#pragma once

#include "core/zip_archive.hpp"
#include "predictors/weights.hpp"

#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace vergence::predictors {

// The tensors of the checkpoint in `directory`, the list of a zip file of `file_size` bytes: spans
// into that file. They are the dictionary that was saved, or its entry "model_state_dict",
// "state_dict" or "model" (searched in this order, also inside each other); values beside them that
// are no tensors are skipped. `file` is what messages call the file. Throws Error for everything
// that is damaged, compressed, big-endian, or not made of tensors and containers; also when a
// tensor would hold more bytes than the file.
[[nodiscard]] std::map<std::string, TensorView> parse_zip_checkpoint(const ZipDirectory& directory,
                                                                     std::size_t file_size,
                                                                     const std::string& file);

// The same for the old format: five pickles and the raw storages behind each other.
[[nodiscard]] std::map<std::string, TensorView> parse_legacy_checkpoint(
    std::span<const std::byte> bytes, const std::string& file);

}  // namespace vergence::predictors
