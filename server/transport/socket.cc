#include "server/transport/socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <utility>

#include "server/net/socket_options.h"

namespace crier {
namespace {

// EPOLLERR and EPOLLHUP, which cannot be switched off: a reset, or both sides are shut.
constexpr uint32_t kGone = EPOLLERR | EPOLLHUP;

// The kernel's result, or a negative errno.
inline ssize_t SendNow(int fd, std::string_view bytes) {
  ssize_t sent;
  do {
    sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

}  // namespace

Socket::Socket(Poller* poller, UniqueFd fd, Owner* owner, std::unique_ptr<TlsSession> tls)
    : poller_(*poller),
      owner_(owner),
      tls_(std::move(tls)),
      fd_(std::move(fd)),
      blocked_(tls_ != nullptr),
      last_received_(poller->now()),
      last_taken_(poller->now()) {}

Socket::~Socket() { assert(!poller_.dispatching() && batched_ == 0); }

// --- Readiness.

void Socket::OnReady(uint32_t events) {
  // Runs on: shard thread
  if (!is_open()) return;
  if (blocked_ && (events & (EPOLLOUT | kGone)) != 0) Unblock();
  if ((events & (EPOLLIN | kGone)) == 0 || !is_open()) return;
  if (state_ == State::kLingering) {
    if (!Discard()) return;
    Close();
    owner_->OnLingered();
  } else if (reading_) {
    Read();
  } else {
    Mute(events);
  }
}

void Socket::Unblock() {
  blocked_ = false;
  watched_ &= static_cast<uint8_t>(~uint32_t{EPOLLOUT});
  poller_.Change(fd(), watched_, this);
  if (tls_ != nullptr) PushCipherText();
  if (blocked_) return;
  if (state_ == State::kOpen) {
    owner_->OnWritable();
  } else if (state_ == State::kLingering) {
    ::shutdown(fd(), SHUT_WR);
  }
}

// Nobody wants bytes now. The set is level-triggered, so this stops watching until somebody does.
void Socket::Mute(uint32_t events) {
  if ((events & kGone) == 0) {
    watched_ &= static_cast<uint8_t>(~uint32_t{EPOLLIN});
    // With nothing to watch, the kernel still tells that the peer is gone.
    poller_.Change(fd(), watched_, this);
    return;
  }
  poller_.Remove(fd());
  watched_ = 0;
  in_set_ = false;
  if (state_ == State::kOpen) Break();
}

void Socket::Watch(uint32_t events) {
  const auto wanted = static_cast<uint8_t>(watched_ | events);
  if (in_set_ && wanted == watched_) return;
  watched_ = wanted;
  if (in_set_) {
    poller_.Change(fd(), watched_, this);
  } else {
    in_set_ = poller_.Add(fd(), watched_, this);
  }
}

// --- Reading.

void Socket::Start(bool read_now) {
  if (read_now) {
    Read();
    if (!is_open()) return;
  }
  Watch(EPOLLIN);
  // The kernel has no memory for the set, so no event would ever come.
  if (!in_set_) owner_->OnEnd(ENOMEM);
}

void Socket::ResumeReading() {
  reading_ = true;
  if (is_open()) Watch(EPOLLIN);
}

bool Socket::HasUnread() const { return is_open() && UnreadBytesOf(fd()) > 0; }

void Socket::Read() {
  const std::span<char> buffer = poller_.receive_buffer();
  const ssize_t count = ::recv(fd(), buffer.data(), buffer.size(), 0);
  if (count > 0) {
    last_received_ = poller_.now();
    const std::span<char> received = buffer.first(static_cast<size_t>(count));
    if (tls_ == nullptr) {
      owner_->OnBytes(received);
    } else {
      OnCipherText(received);
    }
  } else if (count == 0) {
    owner_->OnEnd(0);
  } else if (errno != EAGAIN && errno != EINTR) {
    owner_->OnEnd(errno);
  }
}

void Socket::OnCipherText(std::span<char> received) {
  const bool established = tls_->established();
  const std::span<char> plain = tls_->Receive({received.data(), received.size()});
  // The handshake's answers, an alert, a new key's confirmation.
  if (!blocked_ || !established) {
    blocked_ = false;
    PushCipherText();
  }
  if (tls_->state() == TlsSession::State::kFailed) {
    tls_->NoteFailure(fd(), poller_.now());
    if (is_open()) owner_->OnEnd(EPROTO);
    return;
  }
  if (!is_open()) return;
  // Then the kernel's end comes at once: what TLS calls the end is one, whatever follows it.
  if (tls_->state() == TlsSession::State::kEnded) ::shutdown(fd(), SHUT_RD);
  if (!established && CanSend()) owner_->OnWritable();
  if (!plain.empty() && is_open() && !lingering()) owner_->OnBytes(plain);
}

bool Socket::Discard() {
  const std::span<char> buffer = poller_.receive_buffer();
  // A peer that sends faster than this reads must not hold up the shard.
  for (int i = 0; i < 4; ++i) {
    const ssize_t count = ::recv(fd(), buffer.data(), buffer.size(), 0);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    return count == 0 || errno != EAGAIN;
  }
  return false;
}

// --- Sending.

size_t Socket::Send(std::string_view bytes) {
  // Runs on: shard thread
  assert(CanSend() && batched_ == 0);
  if (tls_ != nullptr) [[unlikely]] {
    const iovec range{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    return SendEncrypted({&range, 1}, bytes.size());
  }
  return Sent(SendNow(fd(), bytes), bytes.size());
}

size_t Socket::Send(std::span<const iovec> ranges, size_t size) {
  // Runs on: shard thread
  assert(CanSend() && batched_ == 0);
  if (tls_ != nullptr) return SendEncrypted(ranges, size);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(ranges.data());
  message.msg_iovlen = ranges.size();
  ssize_t sent;
  do {
    sent = ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return Sent(sent < 0 ? -errno : sent, size);
}

void Socket::SendLater(SendBatch* batch, std::string_view bytes) {
  assert(CanSend() && batched_ == 0);
  batched_ = static_cast<uint32_t>(bytes.size());
  if (tls_ != nullptr) [[unlikely]] {
    const iovec range{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    // Where that fails there is nothing to send, and OnSent finds the session failed.
    tls_->Encrypt({&range, 1});
    bytes = tls_->unsent();
  }
  batch->Add(this, fd(), bytes);
}

void Socket::OnSent(ssize_t result) {
  const size_t offered = std::exchange(batched_, 0);
  poller_.Guard(this, [this, result, offered] {
    size_t in_batch = offered;
    if (tls_ != nullptr) [[unlikely]] {
      in_batch = tls_->unsent().size();
    }
    size_t taken = Sent(result == -EINTR ? -EAGAIN : result, in_batch);
    if (tls_ != nullptr) [[unlikely]] {
      tls_->Sent(taken);
      if (tls_->state() == TlsSession::State::kFailed) Break();
      taken = broken() ? 0 : offered;
    }
    owner_->OnSent(taken);
  });
}

size_t Socket::SendEncrypted(std::span<const iovec> ranges, size_t size) {
  if (!tls_->Encrypt(ranges)) {
    Break();
    return 0;
  }
  PushCipherText();
  return broken() ? 0 : size;
}

void Socket::PushCipherText() {
  if (state_ == State::kBroken) return;
  if (const std::string_view unsent = tls_->unsent(); !unsent.empty()) {
    tls_->Sent(Sent(SendNow(fd(), unsent), unsent.size()));
  }
  if (!tls_->established()) blocked_ = true;
}

size_t Socket::Sent(ssize_t result, size_t offered) {
  if (result < 0 && result != -EAGAIN) {
    Break();
    return 0;
  }
  const size_t taken = result < 0 ? 0 : static_cast<size_t>(result);
  if (taken > 0) last_taken_ = poller_.now();
  if (taken < offered) Block();
  return taken;
}

void Socket::Block() {
  blocked_ = true;
  Watch(EPOLLOUT);
}

void Socket::Break() {
  // One that lingers finds its end by reading.
  if (state_ != State::kOpen) return;
  state_ = State::kBroken;
  owner_->OnBroken();
}

// --- The end.

bool Socket::Linger() {
  assert(batched_ == 0);
  if (state_ == State::kLingering) return false;
  if (state_ == State::kOpen) {
    SayEnd();
    const bool rest = HasUnsent();
    if (!rest) ::shutdown(fd(), SHUT_WR);
    if (!Discard()) {
      state_ = State::kLingering;
      blocked_ = rest;
      Watch(rest ? EPOLLIN | EPOLLOUT : EPOLLIN);
      if (in_set_) return false;
    }
  }
  Close();
  return true;
}

void Socket::SayEnd() {
  if (tls_ == nullptr) return;
  tls_->End();
  if (blocked_ && tls_->established()) return;
  const ssize_t sent = SendNow(fd(), tls_->unsent());
  if (sent > 0) tls_->Sent(static_cast<size_t>(sent));
}

void Socket::Close() {
  assert(batched_ == 0);
  if (!is_open()) return;
  // So that the peer knows that this is the end, and no one has cut it off.
  if (CanSend()) SayEnd();
  state_ = State::kClosed;
  fd_.reset();  // which takes it out of the poller's set
}

}  // namespace crier
