#include "server/websocket/inflater.h"

#include <utility>

namespace crier {
namespace {

// The end of a message, which its sender takes off (RFC 7692, section 7.2.1).
constexpr std::string_view kTail("\0\0\xff\xff", 4);
// Of z_stream::data_type after inflate (zlib.h): at the end of a block, and the number of unused
// bits of the last byte.
constexpr int kAtBlockEnd = 128;
constexpr int kUnusedBits = 7;

}  // namespace

Inflater::Inflater() {
  // Negative: raw deflate. The widest window reads what was deflated with any smaller one.
  ok_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK;
}

Inflater::~Inflater() {
  if (ok_) inflateEnd(&stream_);
}

void Inflater::Begin() {
  if (ok_) inflateReset(&stream_);
  begun_ = false;
}

Inflater::Result Inflater::Inflate(std::string_view part, InputBuffer* out, size_t most) {
  if (!ok_) return Result::kNoMemory;
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
  stream_.avail_in = static_cast<uInt>(part.size());
  if (stream_.avail_in > 0) begun_ = true;
  while (true) {
    // One byte over the limit shows that it is passed.
    const size_t left = most - out->size() + 1;
    const std::span<char> room = out->Room(1, left);
    if (room.empty()) return Result::kNoMemory;
    const size_t size = room.size() < left ? room.size() : left;
    stream_.next_out = reinterpret_cast<Bytef*>(room.data());
    stream_.avail_out = static_cast<uInt>(size);
    const int result = inflate(&stream_, Z_SYNC_FLUSH);
    out->Commit(size - stream_.avail_out);
    if (out->size() > most) return Result::kTooLong;
    switch (result) {
      case Z_STREAM_END:
        // A final block is not the message's end: another stream follows (section 7.2.3.4).
        inflateReset(&stream_);
        begun_ = stream_.avail_in > 0;
        if (!begun_) return Result::kOk;
        break;
      case Z_OK:
        // Where there is room left, nothing waits in zlib.
        if (stream_.avail_in == 0 && stream_.avail_out > 0) return Result::kOk;
        break;
      case Z_BUF_ERROR:  // nothing to do
        return stream_.avail_in == 0 ? Result::kOk : Result::kCorrupt;
      case Z_MEM_ERROR:
        return Result::kNoMemory;
      default:
        return Result::kCorrupt;
    }
  }
}

Inflater::Result Inflater::End(InputBuffer* out, size_t most) {
  // Some senders end with a final block and nothing behind, and some deflate nothing to nothing.
  if (!begun_) return Result::kOk;
  const Result result = Inflate(kTail, out, most);
  if (result != Result::kOk) return result;
  const bool whole =
      !begun_ || ((stream_.data_type & kAtBlockEnd) != 0 && (stream_.data_type & kUnusedBits) == 0);
  return whole ? Result::kOk : Result::kCorrupt;
}

std::unique_ptr<Inflater> Inflaters::Take() {
  if (spares_.empty()) return std::make_unique<Inflater>();
  std::unique_ptr<Inflater> inflater = std::move(spares_.back());
  spares_.pop_back();
  return inflater;
}

void Inflaters::GiveBack(std::unique_ptr<Inflater> inflater) {
  if (spares_.size() < kMostSpares) spares_.push_back(std::move(inflater));
}

}  // namespace crier
