// FrameStream: writing, and its order.
#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "server/websocket/frame_stream.h"

namespace crier {
namespace {

// More would gain nothing: the kernel allows 1,024, but takes a few dozen chunks at best.
constexpr size_t kMaxRanges = 64;

}  // namespace

// The data for one system call.
struct FrameStream::Ranges {
  std::array<iovec, kMaxRanges> vectors;
  size_t count = 0;
  size_t bytes = 0;

  bool full() const { return count == vectors.size(); }
  void Add(std::string_view data) {
    if (data.empty()) return;
    vectors[count++] = {.iov_base = const_cast<char*>(data.data()), .iov_len = data.size()};
    bytes += data.size();
  }
};

FrameStream::Backlog& FrameStream::EnsureBacklog() {
  if (backlog_ == nullptr) backlog_ = std::make_unique<Backlog>();
  return *backlog_;
}

void FrameStream::Uncork() {
  corked_ = false;
  Flush();
}

void FrameStream::Begin(std::string answer) {
  assert(backlog_ == nullptr);
  EnsureBacklog().rest = std::move(answer);
}

void FrameStream::WriteFrame(FrameStart start, std::string_view payload) {
  if (phase_ == Phase::kOver || socket_->broken() || close_frame_ != CloseFrame::kNone) return;
  AppendFrame(start, payload, &EnsureBacklog().others);
}

void FrameStream::Ping() {
  WriteFrame(FrameStart::kPing, {});
  Flush();
}

void FrameStream::QueuePong(std::string_view payload) {
  if (socket_->broken() || close_frame_ != CloseFrame::kNone) return;
  std::string& pongs = EnsureBacklog().pongs;
  // These would stay here until the peer reads.
  if (!CanWrite()) pongs.clear();
  AppendFrame(FrameStart::kPong, payload, &pongs);
}

void FrameStream::QueueClose(std::string_view payload) {
  if (socket_->broken()) return;
  WriteFrame(FrameStart::kClose, payload);
  close_frame_ = CloseFrame::kQueued;
}

void FrameStream::Gather(Ranges* ranges) {
  if (backlog_ != nullptr) {
    ranges->Add(backlog_->rest_left());
    ranges->Add(backlog_->pongs);
    ranges->Add(backlog_->others);
  }
  if (session_ == nullptr || close_frame_ != CloseFrame::kNone) return;
  for (const Slice& slice : session_->Peek(kBytesPerWake)) {
    if (ranges->full()) break;
    ranges->Add({slice.data, slice.size});
  }
}

void FrameStream::Flush() {
  // Runs on: shard thread
  if (!CanWrite()) return;
  assert(batched_ == 0);
  Ranges ranges;
  Gather(&ranges);
  if (ranges.count == 0) return;
  const std::span<const iovec> vectors(ranges.vectors.data(), ranges.count);
  // Nearly always it is one range, which the kernel takes with less work.
  const size_t taken =
      vectors.size() == 1
          ? socket_->Send({static_cast<const char*>(vectors[0].iov_base), vectors[0].iov_len})
          : socket_->Send(vectors, ranges.bytes);
  Sent(taken, ranges.bytes);
}

void FrameStream::FlushInto(SendBatch* batch) {
  // Runs on: shard thread
  if (backlog_ != nullptr || session_ == nullptr) return Flush();
  if (!CanWrite() || close_frame_ != CloseFrame::kNone) return;
  const std::span<const Slice> slices = session_->Peek(kBytesPerWake);
  if (slices.empty()) return;
  // Nearly everything is one range of a log, and only that can go into the batch.
  if (slices.size() > 1) return Flush();
  const std::string_view range(slices.front().data, slices.front().size);
  if (batch->available()) {
    batched_ = static_cast<uint32_t>(range.size());
    socket_->SendLater(batch, range);
  } else {
    Sent(socket_->Send(range), range.size());
  }
}

void FrameStream::OnSent(size_t taken) {
  const size_t offered = std::exchange(batched_, 0);
  if (socket_->broken()) return;
  // Nothing has happened to the session since: what was peeked at then is lent again, to be taken.
  [[maybe_unused]] const std::span<const Slice> slices = session_->Peek(kBytesPerWake);
  assert(slices.size() == 1 && slices.front().size == offered);
  Sent(taken, offered);
}

void FrameStream::Sent(size_t taken, size_t offered) {
  if (socket_->broken() || phase_ == Phase::kOver) return;
  if (taken > 0) {
    if (session_ != nullptr) {
      session_->metrics().writes.Add();
      session_->metrics().bytes_sent.Add(taken);
    }
    Taken(taken);
  }
  // Taken may have been the end.
  if (session_ == nullptr) return;
  if (taken < offered || socket_->HasUnsent()) {
    session_->SetBlocked(true);
  } else if (close_frame_ == CloseFrame::kNone) {
    session_->WakeLater();
  }
}

// Takes *bytes off the backlog's front, and off *bytes what it took. A frame that was cut becomes
// the rest of a frame.
void FrameStream::TakeFromBacklog(size_t* bytes) {
  Backlog& backlog = *backlog_;
  const size_t of_rest = std::min(*bytes, backlog.rest_left().size());
  backlog.rest_at += of_rest;
  *bytes -= of_rest;
  if (backlog.rest_at < backlog.rest.size()) return;
  backlog.rest.clear();
  backlog.rest_at = 0;
  for (std::string* queue : {&backlog.pongs, &backlog.others}) {
    if (*bytes == 0) return;
    const size_t taken = std::min(*bytes, queue->size());
    *bytes -= taken;
    if (taken < queue->size()) {
      backlog.rest = std::move(*queue);
      backlog.rest_at = taken;
    }
    queue->clear();
  }
}

void FrameStream::Taken(size_t bytes) {
  if (backlog_ != nullptr) {
    TakeFromBacklog(&bytes);
    if (backlog_->size() == 0) {
      backlog_.reset();
      if (close_frame_ == CloseFrame::kQueued) close_frame_ = CloseFrame::kSent;
      LeaveIfSent();
      if (phase_ == Phase::kOpen) owner_->OnDrained();
    }
  }
  if (bytes == 0) return;
  // The log may drop the event before there is room for its rest.
  const std::string_view rest = session_->Take(bytes);
  if (!rest.empty()) EnsureBacklog().rest.assign(rest);
}

void FrameStream::OnWritable() {
  if (session_ != nullptr) session_->SetBlocked(false);
  Flush();
}

void FrameStream::OnBroken() {
  if (phase_ == Phase::kOver) return;
  if (session_ != nullptr) {
    session_->SetBlocked(true);
    session_->SetBroken();
  }
  backlog_.reset();
  owner_->OnBroken();
  LeaveIfSent();
}

}  // namespace crier
