// Http2Connection: what goes through its socket, and its life. The protocol is in http2_frames.cc.
#include "server/grpc/http2_connection.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

#include "server/net/listen_address.h"
#include "server/net/socket_options.h"

namespace crier {
namespace {

// As long as a round trip or two. A peer that does not close keeps its place for this time.
constexpr std::chrono::milliseconds kLingerTime{2000};

size_t MostBytesOf(const GrpcOptions& options) {
  if (options.max_connection_bytes != 0) return options.max_connection_bytes;
  return (4 << 20) + (2 << 10) * static_cast<size_t>(options.max_streams_per_connection);
}

}  // namespace

void Http2Connection::Start(GrpcConnections* set, AcceptedConnection accepted) {
  auto connection = std::make_unique<Http2Connection>(set, std::move(accepted));
  Http2Connection* started = connection.get();
  set->Add(std::move(connection), started->next_check_);
  set->Guard(started, [started] { started->socket_.Start(/*read_now=*/false); });
}

Http2Connection::Http2Connection(GrpcConnections* set, AcceptedConnection accepted)
    : set_(set),
      socket_(&set->poller(), std::move(accepted.fd), this,
              set->NewTls(set->tls(), TlsProtocol::kHttp2)),
      client_(set->options().proxy_protocol
                  ? std::make_unique<const std::string>(std::move(accepted.peer))
                  : nullptr),
      place_(std::move(accepted.place)),
      memory_(&set->shard().memory(), MostBytesOf(set->options())),
      end_by_(set->poller().now() + set->options().handshake_timeout),
      next_check_(end_by_),
      beat_at_(end_by_),
      old_at_(set->EndOfLife()) {
  SetNotSentLowWater(socket_.fd());
  MakeSession();
  memory_.SetBase();
  SubmitSettings();
}

Http2Connection::~Http2Connection() {
  // Only if the whole set is destroyed. In other cases they are over already.
  while (!calls_.empty()) Drop(&calls_.front(), Outcome::kConnectionLost);
  nghttp2_session_del(session_);
}

// --- Receiving.

void Http2Connection::OnBytes(std::span<char> bytes) {
  field_limiter_.Limit(bytes);
  in_nghttp2_ = true;
  const ssize_t result = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  in_nghttp2_ = false;
  if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
    SayThatThisIsHttp2({bytes.data(), bytes.size()});
    return Linger(Outcome::kProtocolError);
  }
  if (result < 0) {
    // Of no memory, or a flood: nghttp2 cannot go on.
    if (result == NGHTTP2_ERR_FLOODED) Violated(GrpcViolation::kControlFlood);
    if (result == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) Violated(GrpcViolation::kContinuations);
    return Close(broken_ ? Outcome::kInternal : Outcome::kProtocolError);
  }
  TimeHead();
  FlushInto(nullptr);
  if (EndIfOverfull()) return;
  if (ending_) return Linger(Outcome::kProtocolError);
  EndIfThrough();
}

void Http2Connection::TimeHead() {
  if (!field_limiter_.in_head()) {
    head_by_ = TimePoint::max();
  } else if (head_by_ == TimePoint::max() || field_limiter_.heads() != timed_head_) {
    timed_head_ = field_limiter_.heads();
    head_by_ = set_->poller().now() + set_->options().handshake_timeout;
    CheckAt(head_by_);
  }
}

void Http2Connection::OnEnd(int) { Close(left_ ? Outcome::kOk : Outcome::kConnectionLost); }

// A client that speaks HTTP/1 here has the wrong port or is the wrong program.
void Http2Connection::SayThatThisIsHttp2(std::string_view received) {
  const std::string_view line = received.substr(0, received.find('\n'));
  if (greeted_ || line.find(" HTTP/1.") == std::string_view::npos || !socket_.CanSend()) return;
  constexpr std::string_view kAnswer =
      "HTTP/1.1 400 Bad Request\r\n"
      "Content-Type: text/plain\r\n"
      "Connection: close\r\n"
      "\r\n"
      "This port speaks gRPC (HTTP/2). HTTP and WebSocket have a port of their own.\n";
  socket_.Send(kAnswer);
}

// --- Sending.

void Http2Connection::Proceed(Call* call, bool in_turn) {
  if (!call->responded) {
    SubmitHead(call);
  } else {
    // An error only means that the stream was not waiting.
    nghttp2_session_resume_data(session_, call->id());
  }
  // nghttp2's callbacks are followed by a flush anyway.
  if (!in_nghttp2_) set_->Mark(this, in_turn);
}

std::string Http2Connection::certificate_user() const {
  const TlsContext* tls = set_->tls();
  return tls == nullptr ? "" : socket_.tls()->PeerUser(tls->options().user_from);
}

std::string Http2Connection::PeerAddress() const {
  if (client_ != nullptr) return *client_;
  return socket_.is_open() ? PeerAddressOf(socket_.fd()) : "";
}

bool Http2Connection::CanSend(int32_t stream) const {
  return socket_.CanSend() && nghttp2_session_get_remote_window_size(session_) > 0 &&
         nghttp2_session_get_stream_remote_window_size(session_, stream) > 0;
}

void Http2Connection::Consumed(int32_t stream, size_t bytes) {
  // An error is want of memory: the client then waits for more window, as for a slow server.
  nghttp2_session_consume_stream(session_, stream, bytes);
  Released(bytes);
  if (!in_nghttp2_) set_->Mark(this, false);
}

void Http2Connection::Reset(int32_t stream) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  if (!in_nghttp2_) set_->Mark(this, false);
}

bool Http2Connection::AppendNextFrame() {
  const uint8_t* bytes;
  const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
  if (size <= 0) return false;
  out_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  return true;
}

void Http2Connection::Fill() {
  paused_ = false;
  if (out_.empty()) out_ = set_->buffers().Take();
  in_nghttp2_ = true;
  // SETTINGS come first (RFC 9113, section 3.4).
  if (!std::exchange(said_settings_, true)) AppendNextFrame();
  out_.append(refusals_);
  refusals_.clear();
  // An error is want of memory, and leaves the session as it is; but for that of a callback.
  while (out_.size() < kBytesPerFlush && AppendNextFrame()) {
  }
  in_nghttp2_ = false;
  memory_.Tell();
  if (out_.size() >= kBytesPerFlush) paused_ = true;
}

void Http2Connection::FlushInto(SendBatch* batch) {
  static_cast<MarkHook*>(this)->unlink();
  if (!socket_.CanSend()) return;
  assert(out_.empty());
  Fill();
  if (broken_) {
    set_->Fail(this);
  } else if (out_.empty()) {
    ForgetOut();
    EndIfThrough();
  } else if (batch != nullptr && batch->available()) {
    socket_.SendLater(batch, out_);
  } else {
    SendNow();
  }
}

void Http2Connection::ForgetOut() {
  set_->buffers().GiveBack(std::exchange(out_, std::string()));
  out_taken_ = 0;
}

void Http2Connection::SendNow() { Sent(socket_.Send(std::string_view(out_).substr(out_taken_))); }

void Http2Connection::Sent(size_t taken) {
  // What the peer sent before it left is still read. Then the socket reports its end.
  if (socket_.broken()) return;
  out_taken_ += taken;
  if (out_taken_ < out_.size()) return;
  ForgetOut();
  if (paused_) {
    set_->Mark(this, false);
  } else {
    EndIfThrough();
  }
}

void Http2Connection::OnWritable() {
  if (!out_.empty()) SendNow();
  FlushInto(nullptr);
}

// --- Time.

void Http2Connection::CheckCallAt(TimePoint at) {
  calls_due_ = std::min(calls_due_, at);
  CheckAt(at);
}

void Http2Connection::CheckAt(TimePoint at) {
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
  if (now >= head_by_ && !ended()) {
    Close(Outcome::kIdleTimeout);
    return now + options.close_timeout;
  }
  TimePoint next;
  const TimePoint received = socket_.last_received();
  if (!greeted_ || ended()) {
    next = end_by_;
    if (now >= next) {
      if (!ended()) shard().metrics().of(TransportKind::kGrpc).handshakes_timed_out.Add();
      Close(Outcome::kIdleTimeout);
      return now + options.close_timeout;
    }
  } else if (ping_.awaited(received)) {
    next = ping_.sent() + options.keepalive_timeout;
    if (now >= next) {
      if (!ping_.IsOnItsWay(now, socket_.fd(),
                            options.keepalive_time + options.keepalive_timeout)) {
        Close(Outcome::kIdleTimeout);
      }
      next = now + options.keepalive_timeout;
    }
  } else {
    next = received + options.keepalive_time;
    if (now >= next) {
      ping_.Sent(now, socket_.fd());
      nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
      set_->Mark(this, false);
      next = now + std::min(options.keepalive_timeout, options.keepalive_time);
    }
  }
  if (greeted_ && !ended()) {
    if (now >= beat_at_) Beat();
    if (now >= old_at_) GrowOld(now);
    next = std::min({next, beat_at_, old_at_, head_by_});
  }
  next_check_ = std::min(next, calls_due_);
  return next_check_;
}

// Twice in an interval, so that a call that has sent nothing since the last time is idle for no
// more than one.
void Http2Connection::Beat() {
  const auto interval = set_->options().heartbeat_interval;
  beat_at_ = interval.count() == 0 ? TimePoint::max() : set_->poller().now() + interval / 2;
  if (interval.count() == 0) return;
  for (Call& call : calls_) call.OnBeat();
}

void Http2Connection::GrowOld(TimePoint now) {
  if (!announced_) {
    Announce();
    for (Call& call : calls_) call.OnDrain();
    old_at_ = now + set_->options().max_connection_age_grace;
  } else {
    old_at_ = TimePoint::max();
    GoAway();
  }
}

// --- The end.

// The last stream that it names is the highest there is: calls that are on their way are served
// (RFC 9113, section 6.8).
void Http2Connection::Announce() {
  if (ended() || std::exchange(announced_, true)) return;
  nghttp2_submit_shutdown_notice(session_);
  set_->Mark(this, false);
}

void Http2Connection::GoAway() {
  if (!greeted_ || ended()) return Close(Outcome::kShutdown);
  SubmitGoAway();
  for (Call& call : calls_) call.OnShutdown();
  set_->Mark(this, false);
}

void Http2Connection::EndIfThrough() {
  if (ended() || !out_.empty() || nghttp2_session_want_read(session_) != 0 ||
      nghttp2_session_want_write(session_) != 0) {
    return;
  }
  // The outcome of the remaining calls: nghttp2 has given up.
  Linger(Outcome::kProtocolError);
}

void Http2Connection::Linger(Outcome outcome) {
  DropCalls(outcome);
  if (socket_.Linger()) return Close(outcome);
  end_by_ = set_->poller().now() + kLingerTime;
  next_check_ = end_by_;
  set_->CheckAt(this, end_by_);
}

void Http2Connection::Close(Outcome outcome) {
  assert(!in_nghttp2_);
  if (std::exchange(over_, true)) return;
  socket_.Close();
  static_cast<MarkHook*>(this)->unlink();
  DropCalls(outcome);
  set_->Remove(this);
}

void Http2Connection::OnFailed() {
  in_nghttp2_ = false;
  Close(Outcome::kInternal);
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
