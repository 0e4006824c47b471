#include "server/websocket/connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/base/concat.h"
#include "server/base/utf8.h"
#include "server/engine/engine.h"
#include "server/net/listen_address.h"
#include "server/websocket/close_payload.h"

namespace crier {
namespace {

// The error for a refused frame names its id. An id over the limit is not repeated.
constexpr size_t kMaxIdBytes = 64;

uint16_t CloseCodeOf(Outcome outcome) {
  const OutcomeInfo& info = Info(outcome);
  if (info.close_code != 0) return info.close_code;
  return info.repeated_close_code != 0 ? info.repeated_close_code : Info(Outcome::kOk).close_code;
}

}  // namespace

void Connection::Start(ShardConnections* set, const WebSocketContext* context, Upgrade* upgrade) {
  const Dialect& dialect = ChooseDialect(upgrade->request);
  Handshake handshake = AcceptUpgrade(upgrade->request, &dialect, context->options.compression);
  auto connection = std::make_unique<Connection>(set, context, &dialect, handshake, upgrade);
  Connection* started = connection.get();
  set->Add(std::move(connection), set->poller().now() + context->options.handshake_timeout);
  set->Guard(started, [&] {
    if (started->stream_.is_over()) return;  // the server stops
    started->stream_.Unread(upgrade->unread);
    started->Accept(std::move(handshake), std::move(upgrade->user_id), std::move(upgrade->grant));
  });
}

Connection::Connection(ShardConnections* set, const WebSocketContext* context,
                       const Dialect* dialect, const Handshake& handshake, Upgrade* upgrade)
    : set_(set),
      context_(context),
      dialect_(dialect),
      place_(std::move(upgrade->place)),
      client_(std::move(upgrade->client)),
      stream_(std::move(upgrade->socket), this, &set->frame_readers(),
              {.max_message_bytes = context->options.max_message_bytes,
               .deflate = handshake.deflate.has_value()}) {}

// --- The upgrade.

void Connection::Accept(Handshake handshake, UserId user_id, std::optional<Grant> grant) {
  // The answer leaves when the session is open, so a client that has the answer gets everything
  // that is sent from then on. If there are other shards, this needs this shard's next flush, which
  // tells them the session's user, and that this shard follows the empty topic.
  stream_.Cork();
  stream_.Begin(std::move(handshake.response));
  OpenSession(handshake.may_share_deflated(), std::move(user_id), std::move(grant));
  if (set_->shard().engine().shard_count() > 1) {
    Post([this] { Begin(); });
  } else {
    Begin();
  }
}

void Connection::OpenSession(bool deflated, UserId user_id, std::optional<Grant> grant) {
  ShardMetrics& metrics = set_->shard().metrics();
  metrics.ws_connections.Add(1);
  metrics.ws_connections_accepted.Add();
  session_ =
      set_->shard().OpenSession({.kind = TransportKind::kWebSocket,
                                 .encoding = deflated ? dialect_->deflated : dialect_->encoding,
                                 .transport = this,
                                 .user_id = std::move(user_id),
                                 .adopt_user_id = true,
                                 .grant = std::move(grant),
                                 .welcome = dialect_->greets,
                                 .expect_hello = dialect_->greets});
  stream_.set_session(session_);
}

void Connection::Begin() {
  // TCP_USER_TIMEOUT is not set. The kernel counts a closed window as silence, so it would break
  // the connection of a client that stops reading for a while but still sends (measured;
  // tcp_probe_timer since Linux 5.11). A peer that is gone does not answer the ping.
  begun_ = true;
  if (cut_off_at_ == TimePoint()) {
    set_->CheckAt(this, stream_.socket().last_received() + options().ping_interval);
  }
  stream_.Uncork();
  if (!held_) stream_.ReadOn();
}

// --- Reading.

void Connection::PauseReading() {
  // Runs on: shard thread
  assert(set_->shard().IsCurrent());
  held_ = true;
  stream_.PauseReading();
}

void Connection::ResumeReading() {
  held_ = false;
  if (session_ == nullptr || std::exchange(read_on_posted_, true)) return;
  Post([this] {
    read_on_posted_ = false;
    if (begun_ && !held_) stream_.ReadOn();
  });
}

std::string Connection::PeerAddress() const {
  if (client_ != nullptr) return *client_;
  return stream_.socket().is_open() ? PeerAddressOf(stream_.socket().fd()) : "";
}

// A message that cannot be handled ends its session, and the peer is told.
void Connection::OnMessage(std::string_view payload, bool binary) {
  // While a close is on its way, nothing that comes is done any more.
  if (outcome_) return;
  if (NoThrow(&set_->shard().metrics().handler_exceptions, "a WebSocket message's handling",
              [&] { Handle(payload, binary); })) {
    return;
  }
  session_->RequestClose(Outcome::kInternal, {});
}

void Connection::Handle(std::string_view payload, bool binary) {
  const Arrival arrival = set_->shard().ArrivalNow();
  ShardMetrics& metrics = set_->shard().metrics();
  v1::ClientFrame frame;
  std::optional<DecodeError> problem = dialect_->Decode(payload, binary, &frame);
  metrics.ws_handling_seconds.Observe(Seconds(set_->shard().clock().Now() - arrival.at));
  if (!problem) {
    session_->Handle(std::move(frame), arrival, payload.size());
    return;
  }
  session_->metrics().received[static_cast<size_t>(ActionKind::kInvalid)].Add();
  if (problem->id.size() > kMaxIdBytes) problem->id.clear();
  session_->Refuse(problem->outcome, problem->message, payload.size(), problem->id);
}

// --- The end.

template <class Task>
void Connection::Post(Task task) {
  ++posts_;
  set_->shard().Post([this, task = std::move(task)]() mutable {
    --posts_;
    set_->Guard(this, [this, &task] {
      if (stream_.is_over()) {
        Finish();
      } else {
        task();
      }
    });
  });
}

void Connection::Close(Outcome outcome, std::string_view detail) {
  // Runs on: shard thread
  assert(set_->shard().IsCurrent());
  if (outcome_) return;
  outcome_ = outcome;
  // Posted, because the engine may be handling a message or lending ranges right now.
  Post([this, reason = CloseReason(outcome, detail)] {
    LimitEnd();
    stream_.Close(CloseCodeOf(*outcome_), reason);
  });
}

// "NAME: text", and when to come back: "; retry_after_ms=N". The text gives way where all of it is
// too long.
std::string Connection::CloseReason(Outcome outcome, std::string_view detail) const {
  const OutcomeInfo& info = Info(outcome);
  std::string reason = Concat({info.name, ": ", detail.empty() ? info.text : detail});
  if (session_ == nullptr) return reason;
  const auto retry_after = set_->shard().sessions().AdviceOf(session_->id(), outcome).retry_after;
  if (!retry_after) return reason;
  const std::string when = Concat({"; retry_after_ms=", std::to_string(retry_after->count())});
  return Concat({Utf8Prefix(reason, kMaxCloseReasonBytes - when.size()), when});
}

void Connection::OnEnding(Outcome outcome) {
  if (!outcome_) outcome_ = outcome;
  LimitEnd();
}

// From now on, the connection has to end within close_timeout.
void Connection::LimitEnd() {
  if (cut_off_at_ != TimePoint()) return;
  cut_off_at_ = now() + options().close_timeout;
  set_->CheckAt(this, cut_off_at_);
}

void Connection::GoAway() {
  if (session_ == nullptr) {
    HardClose();
  } else {
    Close(Outcome::kShutdown, {});
  }
}

void Connection::Finish() {
  // The last post calls this function again.
  if (posts_ > 0) return;
  EndSession();
  set_->Remove(this);
}

void Connection::EndSession() {
  if (session_ == nullptr) return;
  ShardMetrics& metrics = set_->shard().metrics();
  metrics.ws_connections.Add(-1);
  if (!stream_.closed_in_form()) metrics.ws_closed_errors.Add();
  stream_.set_session(nullptr);
  std::exchange(session_, nullptr)->End(outcome_.value_or(Outcome::kConnectionLost));
}

void Connection::OnFailed() {
  if (!outcome_) outcome_ = Outcome::kInternal;
  // Before the upgrade is through there is nobody to understand a close frame.
  stream_.Abandon(session_ != nullptr && begun_ ? std::optional(CloseCodeOf(Outcome::kInternal))
                                                : std::nullopt);
  EndSession();
}

// --- Time.

TimePoint Connection::CheckDeadlines(TimePoint now) {
  if (cut_off_at_ != TimePoint()) {
    if (now < cut_off_at_) return cut_off_at_;
    HardClose();
    return now + options().close_timeout;
  }
  // A close is on its way, or the answer to the upgrade.
  if (outcome_ || !begun_) return now + options().close_timeout;

  const Socket& socket = stream_.socket();
  const TimePoint received = socket.last_received();
  const TimePoint silent_at = std::max(received, socket.last_taken()) + options().idle_timeout;
  if (now >= silent_at) {
    if (stream_.HasUnread()) return now + options().ping_timeout;
    Close(Outcome::kIdleTimeout, {});
    return now + options().close_timeout;
  }
  if (ping_.awaited(received)) {
    const TimePoint answer_at = ping_.sent() + options().ping_timeout;
    if (now < answer_at) return std::min(answer_at, silent_at);
    if (ping_.IsOnItsWay(now, socket.fd(), options().idle_timeout) || stream_.HasUnread()) {
      return std::min(now + options().ping_timeout, silent_at);
    }
    Close(Outcome::kIdleTimeout, "no answer to a ping");
    return now + options().close_timeout;
  }
  const TimePoint ping_at = received + options().ping_interval;
  if (now < ping_at) return std::min(ping_at, silent_at);
  ping_.Sent(now, socket.fd());
  stream_.Ping();
  // Where it is answered, the next one may be due before this one's time is over.
  return now + std::min(options().ping_timeout, options().ping_interval);
}

}  // namespace crier
