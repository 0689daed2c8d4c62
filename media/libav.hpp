// SPDX-License-Identifier: Apache-2.0
// FFmpeg's objects with owners, its error codes as text and its log lines as ours; not installed.
#pragma once

#include "media/video.hpp"

#include <memory>
#include <string>
#include <vector>

struct AVCodecContext;
struct AVDictionary;
struct AVFilterGraph;
struct AVFormatContext;
struct AVFrame;
struct AVPacket;
struct AVRational;

namespace vergence::media::libav {

struct FrameDeleter {
  void operator()(AVFrame* frame) const noexcept;
};

struct PacketDeleter {
  void operator()(AVPacket* packet) const noexcept;
};

struct CodecDeleter {
  void operator()(AVCodecContext* codec) const noexcept;
};

struct InputDeleter {
  void operator()(AVFormatContext* input) const noexcept;
};

// Closes the file too, where avio_open made its AVIOContext.
struct OutputDeleter {
  void operator()(AVFormatContext* output) const noexcept;
};

struct FilterGraphDeleter {
  void operator()(AVFilterGraph* graph) const noexcept;
};

using FramePtr = std::unique_ptr<AVFrame, FrameDeleter>;
using PacketPtr = std::unique_ptr<AVPacket, PacketDeleter>;
using CodecPtr = std::unique_ptr<AVCodecContext, CodecDeleter>;
using InputPtr = std::unique_ptr<AVFormatContext, InputDeleter>;
using OutputPtr = std::unique_ptr<AVFormatContext, OutputDeleter>;
using FilterGraphPtr = std::unique_ptr<AVFilterGraph, FilterGraphDeleter>;

// Empty ones. Throw std::bad_alloc.
[[nodiscard]] FramePtr make_frame();
[[nodiscard]] PacketPtr make_packet();

// Options by name, as FFmpeg's functions take and consume them.
class Dictionary {
 public:
  Dictionary() = default;
  ~Dictionary();
  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;

  void set(const std::string& key, const std::string& value);

  // What FFmpeg's functions want; they leave the options in it that they did not know.
  [[nodiscard]] AVDictionary** address() { return &dictionary_; }

  [[nodiscard]] AVDictionary* get() const { return dictionary_; }

  [[nodiscard]] std::vector<std::string> keys() const;

 private:
  AVDictionary* dictionary_ = nullptr;
};

// The reason behind a negative return code, in lower case and without a full stop ("invalid data
// found when processing input").
[[nodiscard]] std::string error_text(int code);

// Throws Error "<what_happened>: <reason>" for a negative code, kInterrupted where FFmpeg stopped
// because Ctrl-C asked for it. Returns the code otherwise.
int check(int code, const std::string& what_happened);

// From now on FFmpeg's log lines go to spdlog's debug level, never to stderr. Cheap to repeat:
// everything that calls FFmpeg does so first.
void capture_log();

// Collects what FFmpeg complains about in this thread while it lives, for messages of ours: its
// own return codes seldom say which option was wrong.
class Complaints {
 public:
  Complaints();
  ~Complaints();
  Complaints(const Complaints&) = delete;
  Complaints& operator=(const Complaints&) = delete;

  // The error lines so far, joined by "; ", without FFmpeg's prefixes; empty = none.
  [[nodiscard]] std::string text() const;

 private:
  std::string text_;
  std::string* outer_;
};

// Blocking reads and writes of `context` end when Ctrl-C asks for it (core/interrupt.hpp).
void make_interruptible(AVFormatContext& context);

// FFmpeg's fractions; an unknown one (denominator 0) is 0/1.
[[nodiscard]] Rational rational(const AVRational& value);
[[nodiscard]] AVRational rational(const Rational& value);

}  // namespace vergence::media::libav
