// Http2Connection: the socket and its life. The protocol: http2_frames.cc.
#include "server/grpc/http2_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <utility>

#include "server/net/socket_options.h"

namespace crier {
namespace {

// As long as a round trip or two may take; a peer that does not close holds its place so long.
constexpr std::chrono::milliseconds kLingerTime{2000};

}  // namespace

void Http2Connection::Start(GrpcConnections* set, AcceptedConnection accepted) {
  auto connection = std::make_unique<Http2Connection>(set, std::move(accepted));
  Http2Connection* started = connection.get();
  set->Add(std::move(connection), started->next_check_);
  started->Listen(EPOLLIN);
}

Http2Connection::Http2Connection(GrpcConnections* set, AcceptedConnection accepted)
    : set_(set),
      fd_(std::move(accepted.fd)),
      place_(std::move(accepted.place)),
      end_by_(set->poller().now() + set->options().handshake_timeout),
      last_received_(set->poller().now()),
      next_check_(end_by_) {
  SetNotSentLowWater(fd_.get());
  MakeSession();
  SubmitSettings();
}

Http2Connection::~Http2Connection() {
  // Where the whole set goes: else they are over already.
  while (!calls_.empty()) Drop(&calls_.front(), Outcome::kConnectionLost);
  nghttp2_session_del(session_);
}

// --- Receiving.

void Http2Connection::OnReady(uint32_t events) {
  if (!fd_.valid()) return;
  constexpr uint32_t kGone = EPOLLERR | EPOLLHUP;
  if (blocked_ && (events & (EPOLLOUT | kGone)) != 0) {
    blocked_ = false;
    interest_ = EPOLLIN;
    set_->poller().Change(fd_.get(), interest_, this);
    if (!out_.empty()) SendNow();
    FlushInto(nullptr);
  }
  if ((events & (EPOLLIN | kGone)) == 0 || !fd_.valid()) return;
  if (!lingering_) {
    Read();
  } else if (Discard()) {
    Close(Outcome::kOk);
  }
}

void Http2Connection::Read() {
  const std::span<char> buffer = set_->receive_buffer();
  const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return Close(left_ ? Outcome::kOk : Outcome::kConnectionLost);
  last_received_ = set_->poller().now();
  in_nghttp2_ = true;
  const ssize_t result = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(buffer.data()), static_cast<size_t>(count));
  in_nghttp2_ = false;
  if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
    SayThatThisIsHttp2({buffer.data(), static_cast<size_t>(count)});
    return Linger(Outcome::kProtocolError);
  }
  // Of no memory, or a flood: nghttp2 cannot go on.
  if (result < 0) return Close(Outcome::kProtocolError);
  FlushInto(nullptr);
  if (ending_) return Linger(Outcome::kProtocolError);
  EndIfThrough();
}

// Who speaks HTTP/1 here has the wrong port, or the wrong program.
void Http2Connection::SayThatThisIsHttp2(std::string_view received) {
  const std::string_view line = received.substr(0, received.find('\n'));
  if (greeted_ || line.find(" HTTP/1.") == std::string_view::npos) return;
  constexpr std::string_view kAnswer =
      "HTTP/1.1 400 Bad Request\r\n"
      "Content-Type: text/plain\r\n"
      "Connection: close\r\n"
      "\r\n"
      "This port speaks gRPC (HTTP/2 without TLS). HTTP and WebSocket have a port of their own.\n";
  [[maybe_unused]] const ssize_t sent =
      ::send(fd_.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// --- Sending.

void Http2Connection::Proceed(Call* call, bool in_turn) {
  if (!call->responded) {
    SubmitHead(call);
  } else {
    // An error says that it was not waiting.
    nghttp2_session_resume_data(session_, call->id());
  }
  // What nghttp2 calls back for is followed by a flush anyway.
  if (!in_nghttp2_) set_->Mark(this, in_turn);
}

bool Http2Connection::CanSend(int32_t stream) const {
  return !blocked_ && nghttp2_session_get_remote_window_size(session_) > 0 &&
         nghttp2_session_get_stream_remote_window_size(session_, stream) > 0;
}

void Http2Connection::Reset(int32_t stream) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  if (!in_nghttp2_) set_->Mark(this, false);
}

void Http2Connection::Fill() {
  paused_ = false;
  if (out_.empty()) out_ = set_->TakeBuffer();
  in_nghttp2_ = true;
  while (out_.size() < kBytesPerFlush) {
    const uint8_t* bytes;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    // An error is want of memory, and leaves the session as it is.
    if (size <= 0) break;
    out_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
  in_nghttp2_ = false;
  if (out_.size() >= kBytesPerFlush) paused_ = true;
}

void Http2Connection::FlushInto(SendBatch* batch) {
  static_cast<MarkHook*>(this)->unlink();
  if (!fd_.valid() || blocked_ || lingering_) return;
  assert(!batched_ && out_.empty());
  Fill();
  if (out_.empty()) {
    ForgetOut();
    EndIfThrough();
  } else if (batch != nullptr && batch->available()) {
    batched_ = true;
    batch->Add(this, fd_.get(), out_);
  } else {
    SendNow();
  }
}

void Http2Connection::ForgetOut() {
  set_->GiveBackBuffer(std::exchange(out_, std::string()));
  out_taken_ = 0;
}

void Http2Connection::SendNow() {
  ssize_t sent;
  do {
    sent = ::send(fd_.get(), out_.data() + out_taken_, out_.size() - out_taken_,
                  MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  Sent(sent < 0 ? -errno : sent);
}

void Http2Connection::OnSent(ssize_t result) {
  batched_ = false;
  Sent(result == -EINTR ? -EAGAIN : result);
}

void Http2Connection::Sent(ssize_t result) {
  if (result < 0 && result != -EAGAIN) {
    // What the peer sent before it went is still read; then the read says that it is gone.
    ForgetOut();
    blocked_ = true;
    ::shutdown(fd_.get(), SHUT_WR);
    return;
  }
  out_taken_ += result < 0 ? 0 : static_cast<size_t>(result);
  if (out_taken_ < out_.size()) {
    blocked_ = true;
    Listen(EPOLLOUT);
    return;
  }
  ForgetOut();
  if (paused_) {
    set_->Mark(this, false);
  } else {
    EndIfThrough();
  }
}

void Http2Connection::Listen(uint32_t events) {
  if ((interest_ & events) == events) return;
  const bool added = interest_ != 0;
  interest_ |= events;
  if (added) {
    set_->poller().Change(fd_.get(), interest_, this);
  } else if (!set_->poller().Add(fd_.get(), interest_, this)) {
    // The kernel is out of memory for the set: nothing would ever come.
    Close(Outcome::kInternal);
  }
}

// --- Time.

void Http2Connection::CheckCallAt(TimePoint at) {
  calls_due_ = std::min(calls_due_, at);
  if (at >= next_check_) return;
  next_check_ = at;
  set_->CheckAt(this, at);
}

TimePoint Http2Connection::CheckDeadlines(TimePoint now) {
  const GrpcOptions& options = set_->options();
  if (now >= calls_due_) {
    calls_due_ = TimePoint::max();
    for (Call& call : calls_) {
      if (call.due() != TimePoint() && now >= call.due()) call.OnDue();
      if (call.due() != TimePoint()) calls_due_ = std::min(calls_due_, call.due());
    }
  }
  TimePoint next;
  if (!greeted_ || lingering_) {
    next = end_by_;
    if (now >= next) {
      Close(Outcome::kIdleTimeout);
      return now + options.close_timeout;
    }
  } else if (ping_.awaited(last_received_)) {
    next = ping_.sent() + options.keepalive_timeout;
    if (now >= next) {
      if (!ping_.IsOnItsWay(now, fd_.get(), options.keepalive_time + options.keepalive_timeout)) {
        Close(Outcome::kIdleTimeout);
      }
      next = now + options.keepalive_timeout;
    }
  } else {
    next = last_received_ + options.keepalive_time;
    if (now >= next) {
      ping_.Sent(now, fd_.get());
      nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
      set_->Mark(this, false);
      next = now + options.keepalive_timeout;
    }
  }
  next_check_ = std::min(next, calls_due_);
  return next_check_;
}

// --- The end.

void Http2Connection::GoAway() {
  if (!fd_.valid()) return;
  if (!greeted_ || lingering_) return Close(Outcome::kShutdown);
  SubmitGoAway();
  for (Call& call : calls_) call.OnShutdown();
  set_->Mark(this, false);
}

void Http2Connection::EndIfThrough() {
  if (!fd_.valid() || lingering_ || !out_.empty() || nghttp2_session_want_read(session_) != 0 ||
      nghttp2_session_want_write(session_) != 0) {
    return;
  }
  // Of calls, where there are any: nghttp2 has given up.
  Linger(Outcome::kProtocolError);
}

void Http2Connection::Linger(Outcome outcome) {
  DropCalls(outcome);
  ::shutdown(fd_.get(), SHUT_WR);
  if (Discard()) return Close(outcome);
  lingering_ = true;
  end_by_ = set_->poller().now() + kLingerTime;
  next_check_ = end_by_;
  set_->CheckAt(this, end_by_);
}

bool Http2Connection::Discard() {
  const std::span<char> buffer = set_->receive_buffer();
  // A peer that sends faster than this reads must not hold up the shard.
  for (int i = 0; i < 4; ++i) {
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    return count == 0 || errno != EAGAIN;
  }
  return false;
}

void Http2Connection::Close(Outcome outcome) {
  assert(!in_nghttp2_ && !batched_);
  if (!fd_.valid()) return;
  fd_.reset();
  static_cast<MarkHook*>(this)->unlink();
  DropCalls(outcome);
  set_->Remove(this);
}

void Http2Connection::DropCalls(Outcome outcome) {
  while (!calls_.empty()) {
    nghttp2_session_set_stream_user_data(session_, calls_.front().id(), nullptr);
    Drop(&calls_.front(), outcome);
  }
}

void Http2Connection::Drop(Call* call, Outcome outcome) {
  const std::shared_ptr<Call> last = std::move(call->self);
  static_cast<CallHook*>(call)->unlink();
  call->OnOver(outcome);
}

}  // namespace crier
