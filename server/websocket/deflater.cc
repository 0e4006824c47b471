#include "server/websocket/deflater.h"

namespace crier {
namespace {

// 00 00 FF FF, at the end of every flush; the extension leaves it off (RFC 7692, section 7.2.1).
constexpr size_t kTailBytes = 4;

}  // namespace

Deflater::Deflater() {
  // Level 1: a message is small and deflated while others wait. Minus the window's bits: raw
  // deflate, no zlib header (RFC 7692, section 7.2.1). 8: zlib's default for its own memory.
  ok_ = deflateInit2(&stream_, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}

Deflater::~Deflater() {
  if (ok_) deflateEnd(&stream_);
}

std::string_view Deflater::Deflate(std::string_view message) {
  if (!ok_ || deflateReset(&stream_) != Z_OK) return {};
  // What is not smaller need not fit.
  output_.resize(message.size() + kTailBytes);
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  stream_.avail_in = static_cast<uInt>(message.size());
  stream_.next_out = reinterpret_cast<Bytef*>(output_.data());
  stream_.avail_out = static_cast<uInt>(output_.size());
  const int result = deflate(&stream_, Z_SYNC_FLUSH);
  // With room left over the flush was complete, so the output ends in the tail.
  if (result != Z_OK || stream_.avail_in != 0 || stream_.avail_out == 0) return {};
  return {output_.data(), output_.size() - stream_.avail_out - kTailBytes};
}

}  // namespace crier
