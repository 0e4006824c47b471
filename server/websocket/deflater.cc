#include "server/websocket/deflater.h"

#include <array>
#include <memory>

namespace crier {
namespace {

// 00 00 FF FF ends every flush. The extension removes it (RFC 7692, section 7.2.1).
constexpr size_t kTailBytes = 4;

}  // namespace

Deflater::Deflater(int window_bits) {
  // Level 1, because a message is small and others wait meanwhile. Negative window bits mean raw
  // deflate without zlib's header (RFC 7692, section 7.2.1). 8 is zlib's default memory level.
  ok_ = deflateInit2(&stream_, 1, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}

Deflater::~Deflater() {
  if (ok_) deflateEnd(&stream_);
}

std::string_view Deflater::Deflate(std::string_view message) {
  if (!ok_ || deflateReset(&stream_) != Z_OK) return {};
  if (output_.capacity() > kMostKept) output_ = std::string();
  // An output that is not smaller need not fit.
  output_.resize(message.size() + kTailBytes);
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));
  stream_.avail_in = static_cast<uInt>(message.size());
  stream_.next_out = reinterpret_cast<Bytef*>(output_.data());
  stream_.avail_out = static_cast<uInt>(output_.size());
  const int result = deflate(&stream_, Z_SYNC_FLUSH);
  // If room is left, the flush was complete, so the output ends with the tail.
  if (result != Z_OK || stream_.avail_in != 0 || stream_.avail_out == 0) return {};
  return {output_.data(), output_.size() - stream_.avail_out - kTailBytes};
}

std::string_view DeflateMessage(std::string_view message, int window_bits) {
  thread_local std::array<std::unique_ptr<Deflater>, MAX_WBITS + 1> deflaters;
  std::unique_ptr<Deflater>& deflater = deflaters[static_cast<size_t>(window_bits)];
  if (deflater == nullptr) deflater = std::make_unique<Deflater>(window_bits);
  return deflater->Deflate(message);
}

}  // namespace crier
