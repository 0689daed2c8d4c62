// SPDX-License-Identifier: Apache-2.0
// OpenEXR: colour pictures and depth channels, half and float, scanlines and tiles. Of a file with
// several parts the first is read. The data window is the picture.
#include "media/codec.hpp"
#include "media/picture.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <stdexcept>

#include <ImfChannelList.h>
#include <ImfFrameBuffer.h>
#include <ImfHeader.h>
#include <ImfIO.h>
#include <ImfInputPart.h>
#include <ImfMultiPartInputFile.h>
#include <ImfOutputFile.h>
#include <ImfPartType.h>
#include <ImfStringAttribute.h>

namespace vergence::media::codec {
namespace {

class MemoryInput final : public Imf::IStream {
 public:
  explicit MemoryInput(Bytes bytes) : Imf::IStream("memory"), bytes_(bytes) {}

  bool read(char* to, int count) override {
    if (count < 0 || static_cast<std::size_t>(count) > bytes_.size() - at_) {
      throw std::runtime_error("too short");
    }
    std::memcpy(to, bytes_.data() + at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return at_ < bytes_.size();
  }

  std::uint64_t tellg() override { return at_; }

  void seekg(std::uint64_t position) override {
    if (position > bytes_.size()) throw std::runtime_error("too short");
    at_ = position;
  }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

class MemoryOutput final : public Imf::OStream {
 public:
  MemoryOutput() : Imf::OStream("memory") {}

  void write(const char* from, int count) override {
    const auto size = static_cast<std::size_t>(count);
    if (bytes.size() < at_ + size) bytes.resize(at_ + size);
    std::memcpy(bytes.data() + at_, from, size);
    at_ += size;
  }

  std::uint64_t tellp() override { return at_; }

  void seekp(std::uint64_t position) override { at_ = position; }

  std::vector<std::uint8_t> bytes;

 private:
  std::size_t at_ = 0;
};

// "ViewLayer.Depth.Z" -> "z".
std::string last_word(const std::string& channel) {
  std::string word = channel.substr(channel.rfind('.') + 1);
  std::ranges::transform(word, word.begin(), [](unsigned char c) { return std::tolower(c); });
  return word;
}

// The file's first channel whose last word is `word`, in the order of names.
std::string find_channel(const Imf::ChannelList& channels, const std::string& word) {
  for (auto it = channels.begin(); it != channels.end(); ++it) {
    if (last_word(it.name()) == word) return it.name();
  }
  return {};
}

// Throws unless the attributes of all headers lie inside the file: OpenEXR believes their sizes and
// reserves what they ask for. An attribute is a name, a type (both zero-terminated), a size and the
// data; an empty name ends a header, and of several parts an empty header the list.
void check_attributes(const Source& source) {
  const auto text = as_text(source.bytes);
  std::size_t at = 8;
  const auto skip_word = [&] {
    const std::size_t end = std::min(text.find('\0', std::min(at, text.size())), text.size());
    const bool empty = end == at;
    at = end + 1;
    return !empty;
  };
  constexpr std::uint8_t kSeveralParts = 0x10;  // bit 12 of the version
  const bool several = text.size() > at && (source.bytes[5] & kSeveralParts) != 0;
  do {
    while (skip_word()) {
      skip_word();
      if (at + 4 > text.size()) throw_damaged(source, "the EXR data end too early");
      const std::size_t size = little_endian_u32(source.bytes.data() + at);
      at += 4;
      if (size > text.size() - at) throw_damaged(source, "the EXR data end too early");
      at += size;
    }
  } while (several && at < text.size() && text[at] != '\0');
}

class ExrReader {
 public:
  explicit ExrReader(const Source& source) : source_(source), stream_(source.bytes) {
    // OpenEXR reserves tables by the declared size before we see the header.
    Imf::Header::setMaxImageSize(kMaxPictureWidth, kMaxPictureHeight);
    Imf::Header::setMaxTileSize(kMaxPictureWidth, kMaxPictureHeight);
  }

  // `choose` names the channels that make up the result, given those that the file has.
  template <class Choose>
  cv::Mat decode(const Choose& choose) {
    check_attributes(source_);
    try {
      Imf::MultiPartInputFile file(stream_, /*numThreads=*/0,
                                   /*reconstructChunkOffsetTable=*/false);
      const Imf::Header& header = file.header(0);
      if (header.hasType() && header.type() != Imf::SCANLINEIMAGE &&
          header.type() != Imf::TILEDIMAGE) {
        throw_unsupported(source_, "a deep EXR");
      }
      const auto& window = header.dataWindow();
      check_size(source_, std::int64_t{window.max.x} - window.min.x + 1,
                 std::int64_t{window.max.y} - window.min.y + 1);
      return read(file, choose(header.channels()));
    } catch (const Iex::BaseExc&) {
      throw_damaged(source_, "the EXR data are damaged or end too early");
    } catch (const std::runtime_error& error) {
      if (std::string_view(error.what()) != "too short") throw;
      throw_damaged(source_, "the EXR data end too early");
    }
  }

 private:
  cv::Mat read(Imf::MultiPartInputFile& file, const std::vector<std::string>& names) {
    const auto& window = file.header(0).dataWindow();
    const int width = window.max.x - window.min.x + 1;
    const int height = window.max.y - window.min.y + 1;
    // ZIP's best is 1032 : 1, of two bytes a sample; we make four of them.
    check_plausible(source_, std::int64_t{width} * height * 4, 4128);
    cv::Mat pixels(height, width, CV_32FC(static_cast<int>(names.size())));
    Imf::FrameBuffer frame;
    for (std::size_t c = 0; c < names.size(); ++c) {
      const Imf::Channel* channel = file.header(0).channels().findChannel(names[c]);
      if (channel->xSampling != 1 || channel->ySampling != 1) {
        throw_unsupported(source_, "an EXR with subsampled channels");
      }
      frame.insert(names[c], Imf::Slice::Make(Imf::FLOAT, pixels.ptr<float>() + c, window,
                                              pixels.elemSize(), pixels.step, 1, 1, 0.0));
    }
    Imf::InputPart part(file, 0);
    part.setFrameBuffer(frame);
    part.readPixels(window.min.y, window.max.y);
    return pixels;
  }

  Source source_;
  MemoryInput stream_;
};

// R, G, B and A of one layer; else luminance or the only channel as grey.
std::vector<std::string> colour_channels(const Source& source, const Imf::ChannelList& channels) {
  const std::string red = find_channel(channels, "r");
  const std::string layer = red.substr(0, red.empty() ? 0 : red.size() - 1);
  std::vector<std::string> names;
  if (!red.empty()) {
    const bool lower_case = red.back() == 'r';
    for (const char* name :
         lower_case ? std::array{"r", "g", "b", "a"} : std::array{"R", "G", "B", "A"}) {
      if (channels.findChannel(layer + name) != nullptr) names.push_back(layer + name);
    }
    if (names.size() >= 3) return names;
  }
  names.assign(1, find_channel(channels, "y"));
  if (names[0].empty() && channels.begin() != channels.end() &&
      ++channels.begin() == channels.end()) {
    names[0] = channels.begin().name();
  }
  if (names[0].empty()) throw_unsupported(source, "an EXR without colour channels");
  return names;
}

std::vector<std::string> depth_channel(const Source& source, const Imf::ChannelList& channels) {
  for (const char* word : {"z", "depth", "distance", "r", "y", "v"}) {
    const auto name = find_channel(channels, word);
    if (!name.empty()) return {name};
  }
  if (channels.begin() == channels.end()) throw_unsupported(source, "an EXR without channels");
  return {channels.begin().name()};
}

}  // namespace

Decoded decode_exr(const Source& source) {
  Decoded decoded;
  decoded.pixels = ExrReader(source).decode(
      [&](const Imf::ChannelList& channels) { return colour_channels(source, channels); });
  if (decoded.pixels.channels() == 4) {
    // EXR's colour is premultiplied; fully transparent pixels may still hold light.
    decoded.pixels.forEach<cv::Vec4f>([](cv::Vec4f& pixel, const int*) {
      if (pixel[3] <= 0.0F || pixel[3] >= 1.0F) return;
      for (int c = 0; c < 3; ++c) pixel[c] /= pixel[3];
    });
  }
  return decoded;
}

cv::Mat decode_exr_depth(const Source& source) {
  return ExrReader(source).decode(
      [&](const Imf::ChannelList& channels) { return depth_channel(source, channels); });
}

std::vector<std::uint8_t> encode_exr(const cv::Mat& pixels, const Attributes& attributes) {
  Imf::Header header(pixels.cols, pixels.rows);
  header.compression() = Imf::ZIP_COMPRESSION;
  for (const auto& [name, text] : attributes) header.insert(name, Imf::StringAttribute(text));
  Imf::FrameBuffer frame;
  const auto names = pixels.channels() == 1 ? std::vector{"Y"} : std::vector{"R", "G", "B"};
  for (std::size_t c = 0; c < names.size(); ++c) {
    header.channels().insert(names[c], Imf::Channel(Imf::FLOAT));
    // OpenEXR asks for writable memory but only reads it.
    auto* base = const_cast<char*>(reinterpret_cast<const char*>(pixels.ptr<float>() + c));
    frame.insert(names[c], Imf::Slice(Imf::FLOAT, base, pixels.elemSize(), pixels.step));
  }
  MemoryOutput stream;
  {
    Imf::OutputFile file(stream, header);
    file.setFrameBuffer(frame);
    file.writePixels(pixels.rows);
  }
  return std::move(stream.bytes);
}

}  // namespace vergence::media::codec
