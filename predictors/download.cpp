// SPDX-License-Identifier: Apache-2.0
// HTTP semantics: RFC 9110 (14.2 Range, 13.1.5 If-Range, 15 status codes).
#include "predictors/download.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "predictors/byte_progress.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace vergence::predictors {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxRedirects = 10;
constexpr long kConnectTimeoutSeconds = 30;
constexpr double kFirstPauseSeconds = 0.5;
constexpr double kLongestPauseSeconds = 60.0;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Nothing where it is not a whole number.
std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// The two parts of an address that matter; empty where it is none.
struct Address {
  std::string scheme;
  std::string host;
};

Address parse_address(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, 0) != CURLUE_OK) return std::string();
    std::string result = lower(text);
    curl_free(text);
    return result;
  };
  return {part(CURLUPART_SCHEME), part(CURLUPART_HOST)};
}

// Where a redirection leads, which may be written relative to the address that gave it; empty where
// it makes no sense.
std::string resolved(const std::string& base, const std::string& location) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  char* text = nullptr;
  if (curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, location.c_str(), CURLU_NON_SUPPORT_SCHEME) !=
          CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) {
    return "";
  }
  std::string result = text;
  curl_free(text);
  return result;
}

bool is_hugging_face(const Address& address) {
  return address.host == "huggingface.co" || address.host.ends_with(".huggingface.co");
}

std::string hugging_face_token() {
  std::string token(trimmed(environment("HF_TOKEN")));
  // A line break would begin another header.
  if (token.find_first_of("\r\n") != std::string::npos) {
    throw Error(ErrorCode::kUsage, "the variable 'HF_TOKEN' holds more than one line");
  }
  return token;
}

// The head of a server's answer.
struct Answer {
  long status = 0;
  std::string etag;
  std::string last_modified;
  std::string location;
  std::optional<std::int64_t> content_length;
  std::optional<std::int64_t> range_begin;
  std::optional<std::int64_t> range_total;
};

// "bytes 100-199/200" (RFC 9110, 14.4); a "*" for a number that is not known.
void read_content_range(std::string_view value, Answer& answer) {
  if (!value.starts_with("bytes ")) return;
  value.remove_prefix(6);
  answer.range_begin = number(value.substr(0, value.find('-')));
  answer.range_total = number(value.substr(std::min(value.find('/'), value.size() - 1) + 1));
}

void read_header(std::string_view line, Answer& answer) {
  if (line.starts_with("HTTP/")) {
    answer = {};
    const auto space = std::min(line.find(' '), line.size());
    answer.status = number(trimmed(line.substr(space)).substr(0, 3)).value_or(0);
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = lower(std::string(line.substr(0, colon)));
  const auto value = trimmed(line.substr(colon + 1));
  // A weak tag stands for what looks the same, not for the very bytes.
  if (name == "etag" && !value.starts_with("W/")) answer.etag = value;
  if (name == "last-modified") answer.last_modified = value;
  if (name == "location") answer.location = value;
  if (name == "content-length") answer.content_length = number(value);
  if (name == "content-range") read_content_range(value, answer);
}

// `from` is where redirections led to.
Error refusal(const std::string& url, const std::string& from, long status, bool with_token) {
  const auto address = parse_address(from);
  Error error(fmt::format("'{}' refuses '{}' (HTTP {})", address.host, url, status));
  if (!is_hugging_face(address)) {
    return std::move(error).hint(
        "download it in a browser and put it into a model folder, or give another address with "
        "--url");
  }
  return std::move(error).hint(
      with_token ? "the token in HF_TOKEN has no access: agree to the terms on the model's page"
                 : "agree to the terms on the model's page and set HF_TOKEN to a token of yours");
}

Error http_error(const std::string& url, const std::string& from, long status, bool with_token) {
  if (status == 401 || status == 403) return refusal(url, from, status, with_token);
  Error error(fmt::format("cannot fetch '{}': the server answers HTTP {}{}", url, status,
                          status == 404 || status == 410 ? ", there is no such file" : ""));
  if (status == 404 || status == 410) {
    return std::move(error).hint("it may have moved: give its new address with --url");
  }
  if (status == 407) return std::move(error).hint("put name and password into the proxy variable");
  return std::move(error).hint("give another address with --url");
}

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool means_later(long status) {
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

bool may_pass(CURLcode code) {
  static constexpr std::array kCodes = {CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR,
                                        CURLE_GOT_NOTHING,  CURLE_HTTP2,      CURLE_HTTP2_STREAM};
  return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

Error connection_error(const std::string& url, CURLcode code, const std::string& reason) {
  Error error(fmt::format("cannot fetch '{}': {}", url, reason));
  if (code == CURLE_PEER_FAILED_VERIFICATION) {
    return std::move(error).hint(
        "check the clock; where a proxy has certificates of its own, name them in SSL_CERT_FILE");
  }
  if (code == CURLE_COULDNT_RESOLVE_PROXY) {
    return std::move(error).hint("check the variables http_proxy, https_proxy and all_proxy");
  }
  return std::move(error).hint("check the network and the address");
}

// Why a try failed that is worth another one.
struct Trouble {
  std::string reason;
  double pause_s = 0.0;  // at least; what the server asks for
};

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using HeaderList = std::unique_ptr<curl_slist, FreeList>;

class Downloader {
 public:
  Downloader(const DownloadRequest& request, PartFile& part, Progress& progress)
      : request_(request),
        part_(part),
        progress_(progress),
        curl_(curl_easy_init(), &curl_easy_cleanup) {
    if (!curl_) throw std::bad_alloc();
  }

  void run() {
    int failures = 0;
    while (true) {
      const auto before = part_.size();
      const auto trouble = attempt();
      if (!trouble) return;
      failures = part_.size() > before ? 1 : failures + 1;
      if (failures >= request_.tries) throw given_up(*trouble);
      const double pause_s =
          std::clamp(kFirstPauseSeconds * (1 << std::min(failures - 1, 16)),
                     std::min(trouble->pause_s, kLongestPauseSeconds), kLongestPauseSeconds);
      spdlog::info("'{}': {}; trying again in {:.1f} s", part_.destination().filename().string(),
                   trouble->reason, pause_s);
      wait(pause_s);
    }
  }

 private:
  // Follows redirections to the file and transfers it. Nothing: all has come.
  std::optional<Trouble> attempt() {
    std::string url = request_.url;
    for (int hop = 0; hop <= kMaxRedirects; ++hop) {
      const auto code = transfer(url);
      throw_if_interrupted();
      if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
      if (!is_redirect(answer_.status)) return outcome(url, code);
      url = next_address(url);
    }
    throw Error(fmt::format("cannot fetch '{}': it is redirected without end", request_.url))
        .hint("give another address with --url");
  }

  std::string next_address(const std::string& from) {
    auto url = resolved(from, answer_.location);
    const auto address = parse_address(url);
    const bool secure = address.scheme == "https";
    if (!secure && (address.scheme != "http" || parse_address(from).scheme == "https")) {
      throw Error(fmt::format("cannot fetch '{}': it is redirected to '{}', which is not safe",
                              request_.url, url))
          .hint("give another address with --url");
    }
    return url;
  }

  // One request. What is worth keeping goes into the part.
  CURLcode transfer(const std::string& url) {
    answer_ = {};
    accepted_ = false;
    taking_ = false;
    stalled_ = false;
    shown_.reset();
    last_bytes_ = 0;
    last_news_ = Clock::now();
    error_text_.fill('\0');
    curl_easy_reset(curl_.get());
    set_options(url);
    const auto headers = request_headers(url);
    set(CURLOPT_HTTPHEADER, headers.get());
    const auto code = curl_easy_perform(curl_.get());
    // A file without bytes never calls back.
    if (code == CURLE_OK && answer_.status == 200 && !accepted_ && !failure_) take_anew();
    return code;
  }

  template <class Value>
  void set(CURLoption option, Value value) {
    if (curl_easy_setopt(curl_.get(), option, value) != CURLE_OK) {
      throw Error("this build of libcurl lacks an option that downloads need");
    }
  }

  void set_options(const std::string& url) {
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_USERAGENT, "vergence");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectTimeoutSeconds);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_ERRORBUFFER, error_text_.data());
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Downloader::on_progress);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_HEADERFUNCTION, &Downloader::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &Downloader::on_bytes);
    set(CURLOPT_WRITEDATA, this);
    const auto certificates = environment("SSL_CERT_FILE");
    if (!certificates.empty()) set(CURLOPT_CAINFO, certificates.c_str());
  }

  HeaderList request_headers(const std::string& url) {
    HeaderList list;
    const auto add = [&](const std::string& line) {
      curl_slist* longer = curl_slist_append(list.get(), line.c_str());
      if (longer == nullptr) throw std::bad_alloc();
      static_cast<void>(list.release());
      list.reset(longer);
    };
    const auto& validator = part_.origin().validator();
    range_asked_ = part_.size() > 0 && !validator.empty() && !range_refused_;
    if (range_asked_) {
      add(fmt::format("Range: bytes={}-", part_.size()));
      add("If-Range: " + validator);
    }
    const auto address = parse_address(url);
    token_sent_ = false;
    if (address.scheme == "https" && is_hugging_face(address)) {
      const auto token = hugging_face_token();
      token_sent_ = !token.empty();
      if (token_sent_) add("Authorization: Bearer " + token);
    }
    return list;
  }

  std::optional<Trouble> outcome(const std::string& url, CURLcode code) {
    if (stalled_) {
      return Trouble{fmt::format("nothing has come for {:g} s", request_.stall_s), 0.0};
    }
    if (range_mismatch_) {
      range_mismatch_ = false;
      return Trouble{"the server sent another part than asked for", 0.0};
    }
    const bool answered = answer_.status != 0;
    if (answered && means_later(answer_.status)) return later();
    if (answer_.status == 416) {  // the part does not belong to what is there now
      range_refused_ = true;
      return Trouble{"the server has another file now", 0.0};
    }
    if (answered && answer_.status != 200 && answer_.status != 206) {
      throw http_error(request_.url, url, answer_.status, token_sent_);
    }
    if (code != CURLE_OK) return broken(code);
    const auto whole = part_.origin().bytes;
    if (whole > 0 && part_.size() < whole) return Trouble{"the transfer ended early", 0.0};
    return std::nullopt;
  }

  Trouble later() {
    curl_off_t seconds = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RETRY_AFTER, &seconds);
    return {fmt::format("the server is not ready (HTTP {})", answer_.status),
            static_cast<double>(seconds)};
  }

  Trouble broken(CURLcode code) {
    std::string reason = error_text_.data();
    if (reason.empty()) reason = curl_easy_strerror(code);
    // A host that was never reached is rather a wrong address than a passing cloud.
    const bool reached = answer_.status != 0 || ever_accepted_;
    const bool lost = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                      code == CURLE_SSL_CONNECT_ERROR || code == CURLE_OPERATION_TIMEDOUT;
    long proxy_status = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    const bool refused = proxy_status >= 400 && !means_later(proxy_status);
    if (!refused && (may_pass(code) || (reached && lost))) return {reason, 0.0};
    throw connection_error(request_.url, code, reason);
  }

  Error given_up(const Trouble& trouble) const {
    Error error(fmt::format("cannot fetch '{}': {}", request_.url, trouble.reason));
    if (part_.size() == 0) return std::move(error).hint("try again later");
    return std::move(error).hint(
        "what has come is kept: the same command goes on from there, later");
  }

  static void wait(double seconds) {
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
      throw_if_interrupted();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  // The first bytes of an answer: whether and where they go. False: nowhere.
  bool accept() {
    accepted_ = true;
    if (answer_.status == 200) return take_anew();
    if (answer_.status != 206) return false;
    const auto& origin = part_.origin();
    const bool same_file = answer_.etag.empty() || answer_.etag == origin.etag;
    const bool same_size =
        !answer_.range_total || origin.bytes == 0 || *answer_.range_total == origin.bytes;
    if (!range_asked_ || answer_.range_begin != part_.size() || !same_file || !same_size) {
      range_mismatch_ = true;
      range_refused_ = true;
      return false;
    }
    spdlog::info("'{}': going on at {:.1f} MB", part_.destination().filename().string(),
                 static_cast<double>(part_.size()) / 1e6);
    begin_stage(origin.bytes);
    return true;
  }

  bool take_anew() {
    accepted_ = true;
    const auto bytes = answer_.content_length.value_or(0);
    if (request_.max_bytes > 0 && bytes > request_.max_bytes) throw too_much();
    part_.restart({.url = request_.url,
                   .etag = answer_.etag,
                   .last_modified = answer_.last_modified,
                   .bytes = bytes});
    begin_stage(bytes);
    return true;
  }

  void begin_stage(std::int64_t bytes) {
    ever_accepted_ = true;
    const auto missing =
        std::max<std::int64_t>((bytes > 0 ? bytes : request_.about_bytes) - part_.size(), 0);
    check_space(missing);
    shown_.emplace(progress_, "fetching " + part_.destination().filename().string(), missing);
  }

  void check_space(std::int64_t missing) const {
    auto folder = part_.destination().parent_path();
    if (folder.empty()) folder = ".";
    std::error_code error;
    const auto space = std::filesystem::space(folder, error);
    if (error || space.available >= static_cast<std::uintmax_t>(missing)) return;
    throw Error(fmt::format("there is no room for '{}': it needs {:.1f} MB more, and '{}' has "
                            "{:.1f} MB left",
                            part_.destination().filename().string(),
                            static_cast<double>(missing) / 1e6, folder.string(),
                            static_cast<double>(space.available) / 1e6))
        .hint("free some space or choose another disk with --to");
  }

  [[nodiscard]] Error too_much() const {
    return Error(fmt::format("'{}' is far larger than the {:.1f} MB that its card tells",
                             request_.url, static_cast<double>(request_.about_bytes) / 1e6))
        .hint("check the address");
  }

  void take(std::span<const std::byte> bytes) {
    if (!accepted_) taking_ = accept();
    if (!taking_) return;
    const auto count = static_cast<std::int64_t>(bytes.size());
    if (request_.max_bytes > 0 && part_.size() + count > request_.max_bytes) throw too_much();
    part_.append(bytes);
    shown_->add(count);
  }

  // libcurl is C: nothing may be thrown through it.
  template <class Work>
  bool guarded(const Work& work) noexcept {
    try {
      work();
      return true;
    } catch (...) {
      failure_ = std::current_exception();
      return false;
    }
  }

  static std::size_t on_bytes(char* data, std::size_t size, std::size_t count, void* self) {
    auto& downloader = *static_cast<Downloader*>(self);
    const std::size_t total = size * count;
    const bool went_well =
        downloader.guarded([&] { downloader.take(std::as_bytes(std::span(data, total))); });
    // The page that comes with an error is of no use; nor is a part that does not fit.
    return went_well && downloader.taking_ ? total : 0;
  }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    auto& downloader = *static_cast<Downloader*>(self);
    const std::size_t total = size * count;
    const bool went_well = downloader.guarded([&] {
      read_header({data, total}, downloader.answer_);
    });
    return went_well ? total : 0;
  }

  static int on_progress(void* self, curl_off_t, curl_off_t now, curl_off_t, curl_off_t) {
    auto& downloader = *static_cast<Downloader*>(self);
    if (now != downloader.last_bytes_) {
      downloader.last_bytes_ = now;
      downloader.last_news_ = Clock::now();
    }
    const std::chrono::duration<double> quiet = Clock::now() - downloader.last_news_;
    downloader.stalled_ = quiet.count() > downloader.request_.stall_s;
    return downloader.stalled_ || interrupt_requested() ? 1 : 0;
  }

  const DownloadRequest& request_;
  PartFile& part_;
  Progress& progress_;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  // Of the request under way:
  Answer answer_;
  bool accepted_ = false;  // whether its first bytes were looked at
  bool taking_ = false;    // whether they go into the part
  bool range_asked_ = false;
  bool token_sent_ = false;
  bool stalled_ = false;
  bool range_mismatch_ = false;
  std::optional<ByteProgress> shown_;
  curl_off_t last_bytes_ = 0;
  Clock::time_point last_news_;
  std::exception_ptr failure_;  // thrown inside a callback
  // Of all of them:
  bool range_refused_ = false;
  bool ever_accepted_ = false;
};

void check_address(const std::string& url) {
  const auto address = parse_address(url);
  if (!address.host.empty() && (address.scheme == "http" || address.scheme == "https")) return;
  throw Error(ErrorCode::kUsage, fmt::format("'{}' is not an address of the web", url))
      .hint("begin it with 'https://'");
}

}  // namespace
}  // namespace vergence::predictors

void vergence_download(const vergence::predictors::DownloadRequest& request,
                       vergence::predictors::PartFile& part, vergence::Progress& progress) {
  using namespace vergence::predictors;  // NOLINT(google-build-using-namespace)
  static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kReady != CURLE_OK) throw vergence::Error(curl_easy_strerror(kReady));
  check_address(request.url);
  if (!part.whole()) Downloader(request, part, progress).run();
}
