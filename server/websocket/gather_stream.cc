#include "server/websocket/gather_stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>

#include "server/websocket/framing.h"

namespace crier {
namespace {

// Nothing is gained by more: the kernel allows 1,024, but takes a few dozen chunks at best.
constexpr size_t kMaxRanges = 64;

constexpr bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

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

GatherStream::GatherStream(Poller* poller, Handle handle, Owner* owner)
    : poller_(poller),
      owner_(owner),
      fd_(std::move(handle.fd)),
      polled_(handle.interest != 0),
      interest_(handle.interest),
      last_received_(poller->now()),
      last_taken_(poller->now()) {
  if (polled_) poller_->Change(fd_.get(), interest_, this);
}

GatherStream::~GatherStream() { assert(!poller_->dispatching()); }

void GatherStream::Unread(std::string bytes) {
  if (!bytes.empty()) unread_ = std::make_unique<std::string>(std::move(bytes));
}

GatherStream::Handle GatherStream::Release() {
  assert(!reader_.armed() && (backlog_ == nullptr || !backlog_->writer.armed()));
  return {.fd = std::move(fd_), .interest = polled_ ? std::exchange(interest_, 0) : 0};
}

void GatherStream::HardClose() {
  assert(batched_ == 0);
  if (!is_open()) return;
  fd_.reset();
  polled_ = false;
  if (reader_.armed()) {
    PostRead(shutting_down_ ? error_code() : boost::asio::error::operation_aborted);
  }
  if (backlog_ != nullptr && backlog_->writer_waits) {
    PostWriter(boost::asio::error::operation_aborted);
  }
}

// --- Readiness.

void GatherStream::OnReady(uint32_t events) {
  // Runs on: shard thread
  if (!is_open()) return;
  constexpr uint32_t kGone = EPOLLERR | EPOLLHUP;
  if (blocked_ && (events & (EPOLLOUT | kGone)) != 0) BecomeWritable();
  if ((events & (EPOLLIN | kGone)) == 0) return;
  if (!reader_.armed() || read_posted_) {
    Mute(events);
  } else if (!shutting_down_) {
    Read();  // may destroy *this
  } else if (Discard()) {
    fd_.reset();
    reader_.Fire({}, 0);
  }
}

// Nobody reads now, and the set is level-triggered: asks for no more of it until somebody does.
void GatherStream::Mute(uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) == 0) {
    interest_ &= ~static_cast<uint32_t>(EPOLLIN);
    poller_->Change(fd_.get(), interest_, this);
    return;
  }
  // These two cannot be declined otherwise.
  poller_->Remove(fd_.get());
  polled_ = false;
  interest_ = 0;
}

// Makes sure that `events` are looked for.
void GatherStream::Listen(uint32_t events) {
  if (polled_ && (interest_ & events) == events) return;
  interest_ |= events;
  if (polled_) {
    poller_->Change(fd_.get(), interest_, this);
  } else {
    polled_ = poller_->Add(fd_.get(), interest_, this);
  }
}

void GatherStream::BecomeWritable() {
  blocked_ = false;
  interest_ &= ~static_cast<uint32_t>(EPOLLOUT);
  if (polled_) poller_->Change(fd_.get(), interest_, this);
  last_unblocked_ = poller_->now();
  if (session_ != nullptr) session_->SetBlocked(false);
  Flush();
}

// --- Reading.

void GatherStream::StartRead() {
  if (!is_open()) {
    PostRead(boost::asio::error::operation_aborted);
  } else if (unread_ != nullptr) {
    PostRead({});
  } else {
    Listen(EPOLLIN);
    // The kernel is out of memory for the set: nothing would ever come.
    if (!polled_) PostRead(boost::asio::error::no_memory);
  }
}

void GatherStream::Read() {
  const int fd = fd_.get();
  const ssize_t count = read_into_count_ == 1
                            ? ::recv(fd, read_into_[0].iov_base, read_into_[0].iov_len, 0)
                            : ::readv(fd, read_into_.data(), static_cast<int>(read_into_count_));
  if (count > 0) {
    last_received_ = poller_->now();
    reader_.Fire({}, static_cast<size_t>(count));
  } else if (count == 0) {
    reader_.Fire(boost::asio::error::eof, 0);
  } else if (!WouldBlock(errno) && errno != EINTR) {
    reader_.Fire(error_code(errno, boost::system::system_category()), 0);
  }
}

void GatherStream::PostRead(error_code error) {
  posted_read_error_ = error;
  if (std::exchange(read_posted_, true)) return;
  poller_->Defer([this] { CompletePostedRead(); });
}

void GatherStream::CompletePostedRead() {
  read_posted_ = false;
  if (posted_read_error_ || unread_ == nullptr || shutting_down_) {
    reader_.Fire(posted_read_error_, 0);
    return;
  }
  size_t copied = 0;
  for (size_t i = 0; i < read_into_count_; ++i) {
    const size_t size = std::min(read_into_[i].iov_len, unread_->size() - copied);
    std::memcpy(read_into_[i].iov_base, unread_->data() + copied, size);
    copied += size;
  }
  unread_->erase(0, copied);
  if (unread_->empty()) unread_.reset();
  reader_.Fire({}, copied);
}

bool GatherStream::Discard() {
  char bytes[4096];
  // A peer that sends faster than this reads must not hold up the shard.
  for (int i = 0; i < 16; ++i) {
    const ssize_t count = ::recv(fd_.get(), bytes, sizeof(bytes), 0);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    return count == 0 || !WouldBlock(errno);
  }
  return false;
}

void GatherStream::StartShutdown() {
  shutting_down_ = true;
  close_frame_queued_ = true;  // whether or not there was one: no data any more
  unread_.reset();
  if (backlog_ != nullptr) {
    backlog_->rest.clear();
    backlog_->pong.clear();
    backlog_->control.clear();
    if (backlog_->empty()) backlog_.reset();
  }
  if (is_open() && !broken_ && !close_at_once_) ::shutdown(fd_.get(), SHUT_WR);
  // What lies unread when a socket is closed turns the goodbye into a reset, which may take our
  // close frame from the peer before it has read it.
  if (is_open() && !Discard() && !close_at_once_ && !broken_) {
    Listen(EPOLLIN);
    if (polled_) return;
  }
  fd_.reset();
  polled_ = false;
  PostRead({});
}

// --- Writing.

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
    if (WouldBlock(static_cast<int>(-result))) {
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

// --- For Beast.

void beast_close_socket(GatherStream& stream) { stream.HardClose(); }

void teardown(boost::beast::role_type, GatherStream& stream, boost::system::error_code& error) {
  stream.HardClose();
  error = {};
}

}  // namespace crier
