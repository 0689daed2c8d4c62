// SPDX-License-Identifier: Apache-2.0
#include "media/libav.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdarg>
#include <limits>
#include <mutex>
#include <new>
#include <string_view>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavformat/avformat.h>
}

namespace vergence::media::libav {
namespace {

// Where the error lines of this thread go besides the log.
thread_local std::string* t_complaints = nullptr;

// FFmpeg's callback: any thread, also inside of decoders.
void on_log(void* object, int level, const char* format, std::va_list arguments) {
  const bool complaint = level <= AV_LOG_ERROR && t_complaints != nullptr;
  const bool logged = level <= AV_LOG_INFO && spdlog::should_log(spdlog::level::debug);
  if (!complaint && !logged) return;
  std::array<char, 1024> buffer{};
  std::va_list copy;
  va_copy(copy, arguments);
  std::vsnprintf(buffer.data(), buffer.size(), format, copy);
  va_end(copy);
  const std::string_view line = trimmed(buffer.data());
  if (line.empty()) return;
  try {
    if (complaint && t_complaints->size() < 1000) {
      if (!t_complaints->empty()) *t_complaints += "; ";
      *t_complaints += line;
    }
    const AVClass* type = object != nullptr ? *static_cast<AVClass**>(object) : nullptr;
    if (logged) spdlog::debug("{}: {}", type != nullptr ? type->class_name : "FFmpeg", line);
  } catch (const std::exception&) {
    // An exception must not pass through C; a lost log line is the smaller harm.
    return;
  }
}

int stop_wanted(void*) {
  return interrupt_requested() ? 1 : 0;
}

}  // namespace

void FrameDeleter::operator()(AVFrame* frame) const noexcept {
  av_frame_free(&frame);
}

void PacketDeleter::operator()(AVPacket* packet) const noexcept {
  av_packet_free(&packet);
}

void CodecDeleter::operator()(AVCodecContext* codec) const noexcept {
  avcodec_free_context(&codec);
}

void InputDeleter::operator()(AVFormatContext* input) const noexcept {
  avformat_close_input(&input);
}

void OutputDeleter::operator()(AVFormatContext* output) const noexcept {
  if (output->pb != nullptr && (output->oformat->flags & AVFMT_NOFILE) == 0 &&
      (output->flags & AVFMT_FLAG_CUSTOM_IO) == 0) {
    avio_closep(&output->pb);
  }
  avformat_free_context(output);
}

void FilterGraphDeleter::operator()(AVFilterGraph* graph) const noexcept {
  avfilter_graph_free(&graph);
}

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (frame == nullptr) throw std::bad_alloc();
  return frame;
}

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  if (packet == nullptr) throw std::bad_alloc();
  return packet;
}

Dictionary::~Dictionary() {
  av_dict_free(&dictionary_);
}

void Dictionary::set(const std::string& key, const std::string& value) {
  if (av_dict_set(&dictionary_, key.c_str(), value.c_str(), 0) < 0) throw std::bad_alloc();
}

std::vector<std::string> Dictionary::keys() const {
  std::vector<std::string> keys;
  const AVDictionaryEntry* entry = nullptr;
  while ((entry = av_dict_get(dictionary_, "", entry, AV_DICT_IGNORE_SUFFIX)) != nullptr) {
    keys.emplace_back(entry->key);
  }
  return keys;
}

std::string error_text(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> buffer{};
  if (av_strerror(code, buffer.data(), buffer.size()) < 0) {
    return fmt::format("FFmpeg's error {}", code);
  }
  std::string text(buffer.data());
  while (!text.empty() && text.back() == '.') text.pop_back();
  // Not the first letter of an abbreviation.
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

int check(int code, const std::string& what_happened) {
  if (code >= 0) return code;
  if (code == AVERROR_EXIT) throw_if_interrupted();
  if (code == AVERROR(ENOMEM)) throw Error(what_happened + ": not enough memory");
  throw Error(fmt::format("{}: {}", what_happened, error_text(code)));
}

void capture_log() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(on_log); });
}

Complaints::Complaints() : outer_(t_complaints) {
  t_complaints = &text_;
}

Complaints::~Complaints() {
  t_complaints = outer_;
}

std::string Complaints::text() const {
  return text_;
}

void make_interruptible(AVFormatContext& context) {
  context.interrupt_callback = {.callback = stop_wanted, .opaque = nullptr};
}

Rational rational(const AVRational& value) {
  if (value.den == 0) return {};
  AVRational reduced = value;
  av_reduce(&reduced.num, &reduced.den, value.num, value.den, std::numeric_limits<int>::max());
  if (reduced.den < 0) reduced = {-reduced.num, -reduced.den};
  return {reduced.num, reduced.den};
}

AVRational rational(const Rational& value) {
  AVRational result{0, 1};
  av_reduce(&result.num, &result.den, value.num, value.den, std::numeric_limits<int>::max());
  return result;
}

}  // namespace vergence::media::libav
