// GatherStream: what is sent, and in what order.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cassert>
#include <cerrno>
#include <utility>

#include "server/websocket/framing.h"
#include "server/websocket/gather_stream.h"

namespace crier {
namespace {

// Nothing is gained by more: the kernel allows 1,024, but takes a few dozen chunks at best.
constexpr size_t kMaxRanges = 64;

bool StartsWith(std::string_view bytes, FrameStart start) {
  return !bytes.empty() && static_cast<uint8_t>(bytes[0]) == static_cast<uint8_t>(start);
}

}  // namespace

// What one system call is to send.
struct GatherStream::Ranges {
  std::array<iovec, kMaxRanges> vectors;
  size_t count = 0;
  size_t bytes = 0;

  bool full() const { return count == vectors.size(); }
  void Add(const char* data, size_t size) {
    if (size == 0) return;
    vectors[count++] = {.iov_base = const_cast<char*>(data), .iov_len = size};
    bytes += size;
  }
};

GatherStream::Backlog& GatherStream::EnsureBacklog() {
  if (backlog_ == nullptr) backlog_ = std::make_unique<Backlog>();
  return *backlog_;
}

void GatherStream::AcceptWrite(std::string bytes) {
  Backlog& backlog = *backlog_;
  if (!is_open()) {
    PostWriter(boost::asio::error::operation_aborted);
    return;
  }
  if (broken_ || shutting_down_) {
    PostWriter({});
    return;
  }
  if (StartsWith(bytes, FrameStart::kPong)) {
    backlog.pong = std::move(bytes);
    PostWriter({});
  } else {
    if (StartsWith(bytes, FrameStart::kClose)) {
      close_frame_queued_ = true;
      if (owner_ != nullptr) owner_->OnStreamEnding();
    }
    backlog.control += bytes;
    backlog.writer_waits = true;
  }
  Flush();
}

void GatherStream::Uncork() {
  corked_ = false;
  Flush();
}

void GatherStream::Ping() {
  if (!is_open() || broken_ || close_frame_queued_) return;
  EnsureBacklog().control.append({static_cast<char>(FrameStart::kPing), '\0'});
  Flush();
}

void GatherStream::Pong(std::string_view payload) {
  if (!is_open() || broken_ || close_frame_queued_) return;
  std::string& pong = EnsureBacklog().pong;
  pong.clear();
  AppendFrame(FrameStart::kPong, payload, &pong);
  Flush();
}

void GatherStream::Gather(Ranges* ranges) {
  if (backlog_ != nullptr) {
    ranges->Add(backlog_->rest.data(), backlog_->rest.size());
    ranges->Add(backlog_->pong.data(), backlog_->pong.size());
    ranges->Add(backlog_->control.data(), backlog_->control.size());
  }
  if (session_ == nullptr || close_frame_queued_) return;
  for (const Slice& slice : session_->Peek(kBytesPerWake)) {
    if (ranges->full()) break;
    ranges->Add(slice.data, slice.size);
  }
}

void GatherStream::Flush() {
  // Runs on: shard thread
  if (!CanSend()) return;
  assert(batched_ == 0);
  Ranges ranges;
  Gather(&ranges);
  if (ranges.count == 0) return;
  ssize_t sent;
  do {
    if (ranges.count == 1) {
      sent = ::send(fd_.get(), ranges.vectors[0].iov_base, ranges.vectors[0].iov_len,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = ranges.vectors.data();
      message.msg_iovlen = ranges.count;
      sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  } while (sent < 0 && errno == EINTR);
  Sent(sent < 0 ? -errno : sent, ranges.bytes);
}

void GatherStream::FlushInto(SendBatch* batch) {
  // Runs on: shard thread
  // Only what is a single range of a log, which is nearly everything.
  if (!batch->available() || backlog_ != nullptr || session_ == nullptr) return Flush();
  if (!CanSend() || close_frame_queued_) return;
  const std::span<const Slice> slices = session_->Peek(kBytesPerWake);
  if (slices.empty()) return;
  if (slices.size() > 1) return Flush();
  batched_ = static_cast<uint32_t>(slices.front().size);
  batch->Add(this, fd_.get(), {slices.front().data, slices.front().size});
}

void GatherStream::OnSent(ssize_t result) {
  // Nothing has happened to the session since: what was peeked at then is lent again, to be taken.
  const size_t offered = std::exchange(batched_, 0);
  [[maybe_unused]] const std::span<const Slice> slices = session_->Peek(kBytesPerWake);
  assert(slices.size() == 1 && slices.front().size == offered);
  Sent(result == -EINTR ? -EAGAIN : result, offered);
}

void GatherStream::Sent(ssize_t result, size_t offered) {
  if (result < 0) {
    if (result == -EAGAIN) {
      Block();
    } else {
      Break();
    }
    return;
  }
  const auto sent = static_cast<size_t>(result);
  last_taken_ = poller_->now();
  if (session_ != nullptr) {
    session_->metrics().writes.Add();
    session_->metrics().bytes_sent.Add(sent);
  }
  Taken(sent);
  if (sent < offered) {
    Block();
  } else if (session_ != nullptr && !close_frame_queued_) {
    session_->WakeLater();
  }
}

// Takes *bytes off the backlog's front, and off *bytes what it took. A control frame that was cut
// becomes the rest of a frame.
void GatherStream::TakeFromBacklog(size_t* bytes) {
  Backlog& backlog = *backlog_;
  const size_t of_rest = std::min(*bytes, backlog.rest.size());
  backlog.rest.erase(0, of_rest);
  *bytes -= of_rest;
  for (std::string* queue : {&backlog.pong, &backlog.control}) {
    if (*bytes == 0) return;
    const size_t taken = std::min(*bytes, queue->size());
    backlog.rest = queue->substr(taken);
    queue->clear();
    *bytes -= taken;
  }
}

void GatherStream::Taken(size_t bytes) {
  if (backlog_ != nullptr) TakeFromBacklog(&bytes);
  if (bytes > 0) {
    // The log may have moved on by the time that there is room for the rest of a cut event.
    const std::string_view rest = session_->Take(bytes);
    if (!rest.empty()) EnsureBacklog().rest.assign(rest);
  }
  if (backlog_ == nullptr) return;
  if (backlog_->writer_waits && backlog_->rest.empty() && backlog_->control.empty()) {
    if (close_frame_queued_) close_frame_sent_ = true;
    PostWriter({});
  }
  if (backlog_->empty()) backlog_.reset();
}

// The kernel is full: goes on when it says that it has room.
void GatherStream::Block() {
  blocked_ = true;
  if (session_ != nullptr) session_->SetBlocked(true);
  Listen(EPOLLOUT);
}

void GatherStream::Break() {
  broken_ = true;
  if (session_ != nullptr) session_->SetBlocked(true);
  if (backlog_ != nullptr) {
    backlog_->rest.clear();
    backlog_->pong.clear();
    backlog_->control.clear();
    if (backlog_->writer_waits) PostWriter({});
    if (backlog_->empty()) backlog_.reset();
  }
  if (owner_ != nullptr) owner_->OnStreamEnding();
}

void GatherStream::PostWriter(error_code error) {
  backlog_->writer_waits = false;
  backlog_->writer_error = error;
  poller_->Defer([this] { CompleteWriter(); });
}

void GatherStream::CompleteWriter() {
  // Moved out, because the handler may start the next write, or destroy *this.
  HandlerSlot writer = std::move(backlog_->writer);
  const size_t bytes = backlog_->writer_bytes;
  const error_code error = backlog_->writer_error;
  if (backlog_->empty()) backlog_.reset();
  writer.Fire(error, error ? 0 : bytes);
}

}  // namespace crier
