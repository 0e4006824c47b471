#include "server/websocket/plain_encoding.h"

#include <zlib.h>

#include <string>
#include <string_view>

#include "server/codec/plain_json.h"
#include "server/websocket/framing.h"

namespace crier {
namespace {

constexpr std::string_view kServerName = "crier/" CRIER_VERSION;

class Plain final : public Encoding {
 public:
  std::string_view name() const override { return "plain-json"; }
  void Append(const v1::Event& event, std::string* out) const override {
    const size_t at = out->size();
    AppendFrameSpace(out);
    AppendPlainJson(event, kServerName, out);
    if (out->size() == at + kFrameSpaceBytes) {
      out->resize(at);
      return;
    }
    CloseTextFrame(at, out);
  }
};

// Deflates whole messages, each by itself. One per thread: its state is some 256 KiB.
class Deflater {
 public:
  Deflater() {
    // Level 1: a message is small and deflated while others wait. Minus the window's bits: raw
    // deflate, no zlib header (RFC 7692, section 7.2.1). 8: zlib's default for its own memory.
    ok_ = deflateInit2(&stream_, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Deflater() {
    if (ok_) deflateEnd(&stream_);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // The deflated form, valid until the next call; empty where it would not be smaller.
  std::string_view Deflate(std::string_view text) {
    if (!ok_ || deflateReset(&stream_) != Z_OK) return {};
    // What is not smaller need not fit.
    output_.resize(text.size() + kTailBytes);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(output_.data());
    stream_.avail_out = static_cast<uInt>(output_.size());
    const int result = deflate(&stream_, Z_SYNC_FLUSH);
    // With room left over the flush was complete, so the output ends in the tail.
    if (result != Z_OK || stream_.avail_in != 0 || stream_.avail_out == 0) return {};
    return {output_.data(), output_.size() - stream_.avail_out - kTailBytes};
  }

 private:
  // 00 00 FF FF, at the end of every flush; the extension leaves it off.
  static constexpr size_t kTailBytes = 4;

  z_stream stream_{};
  bool ok_ = false;
  std::string output_;
};

class PlainDeflate final : public Encoding {
 public:
  std::string_view name() const override { return "plain-json-deflate"; }
  void Append(const v1::Event& event, std::string* out) const override {
    thread_local Deflater deflater;
    thread_local std::string text;
    text.clear();
    AppendPlainJson(event, kServerName, &text);
    if (text.empty()) return;
    const std::string_view deflated = deflater.Deflate(text);
    if (deflated.empty()) {
      AppendTextFrame(text, out);
    } else {
      AppendCompressedTextFrame(deflated, out);
    }
  }
};

}  // namespace

const Encoding& PlainEncoding() {
  static const Plain encoding;
  return encoding;
}

const Encoding& PlainDeflateEncoding() {
  static const PlainDeflate encoding;
  return encoding;
}

}  // namespace crier
