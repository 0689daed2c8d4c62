// SPDX-License-Identifier: Apache-2.0
// Gives an MP4 file another `moov` and leaves its media alone: bytes are copied or stay where they
// are, and whatever tells places in the file follows them (stco, co64, saio, iloc). Not installed.
#pragma once

#include "media/mp4_boxes.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace vergence::media::mp4 {

// Throws Error where the file is of a kind whose places cannot all be followed: fragments, media in
// other files mixed with its own.
void require_patchable(const FileBytes& file, const FileBoxes& layout, const Box& moov);

// Writes `destination` directly (whoever calls renames): the source with `moov` instead of its own.
// It stays before or behind the media as it was; `free` boxes behind it give way first, so that
// often nothing has to move. Holes of the source stay holes. `advance(bytes)` is called as it goes
// on. Throws Error: full disk, places that contradict themselves, Ctrl-C.
void write_with_moov(const FileBytes& source, const FileBoxes& layout, const Box& moov,
                     const std::filesystem::path& destination,
                     const std::function<void(std::uint64_t bytes)>& advance = {});

// Changes the file itself where that cannot damage it, whenever it is interrupted: `moov` goes into
// a `free` box, or behind everything else where the old one lies behind the media too; only when it
// is on the disk, one write of a few bytes makes it valid, and another the old one `free`. False,
// with nothing changed, where the file has no place for that. Throws Error where the disk is full
// (the file is then as it was).
[[nodiscard]] bool replace_moov_in_place(const FileBytes& file, const FileBoxes& layout,
                                         const Box& moov);

// Puts `moov` before the media of a file that is still being made: damaged if interrupted.
void move_moov_to_front(const FileBytes& file, const FileBoxes& layout, const Box& moov);

}  // namespace vergence::media::mp4
