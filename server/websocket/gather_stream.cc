// GatherStream: its life, readiness, and what is read. What is sent: gather_stream_write.cc.
#include "server/websocket/gather_stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>

namespace crier {

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

void GatherStream::Unread(std::string_view bytes) {
  if (bytes.empty()) return;
  if (unread_ == nullptr) unread_ = std::make_unique<std::string>();
  unread_->insert(0, bytes);
}

void GatherStream::CancelRead() {
  assert(!shutting_down_);
  reader_.Disarm();
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
  } else if (errno != EAGAIN && errno != EINTR) {
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
  if (!reader_.armed()) return;  // cancelled; the next one begins anew
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
    return count == 0 || errno != EAGAIN;
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

}  // namespace crier
