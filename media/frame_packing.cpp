// SPDX-License-Identifier: Apache-2.0
#include "media/frame_packing.hpp"

#include "media/libav.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <span>

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace vergence::media {
namespace {

constexpr int kFrameAlternation = 5;
constexpr std::uint8_t kPayloadType = 45;

// Bits, the most significant first (u(n) and ue(v) of the standards).
class BitWriter {
 public:
  void put(unsigned value, int count) {
    for (int bit = count - 1; bit >= 0; --bit) {
      if (used_ == 0) bytes_.push_back(0);
      bytes_.back() =
          static_cast<std::uint8_t>(bytes_.back() | (((value >> bit) & 1U) << (7 - used_)));
      used_ = (used_ + 1) % 8;
    }
  }

  // Exp-Golomb of order 0.
  void put_golomb(unsigned value) {
    int length = 0;
    while (((value + 1) >> (length + 1)) != 0) ++length;
    put(0, length);
    put(value + 1, length + 1);
  }

  // A one and zeros up to the next whole byte, unless it is whole already.
  void align() {
    if (used_ == 0) return;
    put(1, 1);
    while (used_ != 0) put(0, 1);
  }

  [[nodiscard]] const std::vector<std::uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
  int used_ = 0;  // bits of the last byte
};

std::vector<std::uint8_t> payload(int type, bool right_first, bool hevc, bool second_frame) {
  const bool in_time = type == kFrameAlternation;
  BitWriter bits;
  bits.put_golomb(0);  // frame_packing_arrangement_id
  bits.put(0, 1);      // cancel_flag
  bits.put(static_cast<unsigned>(type), 7);
  bits.put(0, 1);                                 // quincunx_sampling_flag
  bits.put(right_first ? 2 : 1, 6);               // content_interpretation_type
  bits.put(0, 3);                                 // spatial_flipping, frame0_flipped, field_views
  bits.put(in_time && !second_frame ? 1 : 0, 1);  // current_frame_is_frame0_flag
  bits.put(0, 2);                                 // frame0 and frame1 self_contained
  if (!in_time) bits.put(0, 16);                  // grid positions of both, where not quincunx
  bits.put(0, 8);                                 // reserved_byte
  // It holds for the coded video sequence, or for this picture where pictures take turns.
  if (hevc) {
    bits.put(in_time ? 0 : 1, 1);  // persistence_flag
    bits.put(0, 1);                // upsampled_aspect_ratio_flag
  } else {
    bits.put_golomb(in_time ? 0 : 1);  // repetition_period
    bits.put(0, 1);                    // extension_flag
  }
  bits.align();
  return bits.bytes();
}

// Keeps start codes out of the payload: a three after two zeros.
std::vector<std::uint8_t> escaped(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> result;
  int zeros = 0;
  for (const std::uint8_t byte : bytes) {
    if (zeros >= 2 && byte <= 3) {
      result.push_back(3);
      zeros = 0;
    }
    result.push_back(byte);
    zeros = byte == 0 ? zeros + 1 : 0;
  }
  return result;
}

bool is_slice(std::uint8_t first_byte, bool hevc) {
  if (hevc) return ((first_byte >> 1) & 0x3F) < 32;
  const int type = first_byte & 0x1F;
  return type >= 1 && type <= 5;
}

// Where the start code before the first slice begins; the end if there is none.
std::size_t first_slice(std::span<const std::uint8_t> data, bool hevc) {
  for (std::size_t i = 0; i + 3 < data.size(); ++i) {
    if (data[i] != 0 || data[i + 1] != 0 || data[i + 2] != 1) continue;
    if (is_slice(data[i + 3], hevc)) return i > 0 && data[i - 1] == 0 ? i - 1 : i;
  }
  return data.size();
}

}  // namespace

std::optional<int> frame_packing_type(StereoTag tag) {
  switch (tag) {
    case StereoTag::kNone:
      return std::nullopt;
    case StereoTag::kCheckerboard:
      return 0;
    case StereoTag::kColumnInterleaved:
      return 1;
    case StereoTag::kRowInterleaved:
      return 2;
    case StereoTag::kSideBySide:
      return 3;
    case StereoTag::kTopBottom:
      return 4;
    case StereoTag::kFrameSequential:
      return kFrameAlternation;
  }
  return std::nullopt;
}

std::optional<std::vector<std::uint8_t>> frame_packing_nal(StereoTag tag, bool right_first,
                                                           bool hevc, bool second_frame) {
  const auto type = frame_packing_type(tag);
  // H.265 reserves the interleaved ones.
  if (!type || (hevc && *type < 3)) return std::nullopt;
  std::vector<std::uint8_t> message = payload(*type, right_first, hevc, second_frame);
  message.insert(message.begin(), {kPayloadType, static_cast<std::uint8_t>(message.size())});
  message.push_back(0x80);  // rbsp_trailing_bits
  message = escaped(message);
  if (hevc) {
    message.insert(message.begin(), {39 << 1, 1});  // PREFIX_SEI_NUT, temporal id 0
  } else {
    message.insert(message.begin(), 6);
  }
  return message;
}

void insert_before_slices(AVPacket& packet, const std::vector<std::uint8_t>& nal, bool hevc) {
  constexpr std::array<std::uint8_t, 4> kStartCode = {0, 0, 0, 1};
  const std::span<const std::uint8_t> old(packet.data, static_cast<std::size_t>(packet.size));
  const std::size_t place = first_slice(old, hevc);
  if (place == old.size()) return;
  const std::size_t added = kStartCode.size() + nal.size();
  libav::PacketPtr larger = libav::make_packet();
  if (av_new_packet(larger.get(), static_cast<int>(old.size() + added)) < 0 ||
      av_packet_copy_props(larger.get(), &packet) < 0) {
    throw std::bad_alloc();
  }
  std::uint8_t* out = std::copy_n(old.begin(), place, larger->data);
  out = std::copy(kStartCode.begin(), kStartCode.end(), out);
  out = std::copy(nal.begin(), nal.end(), out);
  std::copy(old.begin() + static_cast<std::ptrdiff_t>(place), old.end(), out);
  av_packet_unref(&packet);
  av_packet_move_ref(&packet, larger.get());
}

}  // namespace vergence::media
