// SPDX-License-Identifier: Apache-2.0
// What the containers can hold, by FFmpeg's names of muxers and codecs; not installed.
#pragma once

#include <string>

namespace vergence::media {

// Whether packets of `codec` can be copied into `container` as they are.
[[nodiscard]] bool container_holds(const std::string& container, const std::string& codec);

// Whether it can be written without ever going back.
[[nodiscard]] bool can_be_a_pipe(const std::string& container);

// Whether a picture can be the file's cover.
[[nodiscard]] bool container_holds_covers(const std::string& container);

// FFmpeg's name for the subtitles that text in another form becomes ("mov_text"); empty = none.
[[nodiscard]] std::string text_subtitles_of(const std::string& container);

// Whether subtitles of this codec are text, that can be brought into another form.
[[nodiscard]] bool is_text_subtitle(const std::string& codec);

// The name that people know ("MP4").
[[nodiscard]] std::string container_title(const std::string& container);

// FFmpeg's muxer for the extension of a file's name ("matroska"); "-" is Matroska. Throws
// Error(kUsage) for what is no extension of a video.
[[nodiscard]] std::string muxer_for(const std::string& file_name);

}  // namespace vergence::media
