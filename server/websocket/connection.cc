// Connection: its life. What it reads: connection_read.cc.
#include "server/websocket/connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/base/concat.h"
#include "server/codec/utf8.h"
#include "server/engine/engine.h"
#include "server/net/socket_options.h"

namespace crier {
namespace {

namespace websocket = boost::beast::websocket;

// A control frame's payload is at most 125 bytes, two of them the code (RFC 6455, section 5.5).
constexpr size_t kMaxReasonBytes = 123;

uint16_t CloseCodeOf(Outcome outcome) {
  const OutcomeInfo& info = Info(outcome);
  if (info.close_code != 0) return info.close_code;
  return info.repeated_close_code != 0 ? info.repeated_close_code : Info(Outcome::kOk).close_code;
}

}  // namespace

void Connection::Start(ShardConnections* set, const WebSocketContext* context, Upgrade upgrade) {
  auto connection = std::make_unique<Connection>(set, context, &upgrade);
  Connection* started = connection.get();
  started->cut_off_at_ = started->now() + context->options.handshake_timeout;
  set->Add(std::move(connection), started->cut_off_at_);
  started->Accept(std::move(upgrade));
}

Connection::Connection(ShardConnections* set, const WebSocketContext* context, Upgrade* upgrade)
    : set_(set),
      context_(context),
      place_(std::move(upgrade->place)),
      stream_(&set->poller(), std::move(upgrade->socket), static_cast<GatherStream::Owner*>(this)),
      ws_(std::make_unique<BeastStream>(set->poller().io(), &stream_)) {
  stream_.Unread(upgrade->unread);
}

// --- The upgrade.

void Connection::Accept(Upgrade upgrade) {
  dialect_ = &ChooseDialect(upgrade.request);
  PrepareHandshake(ws_.get(), options().compression, dialect_, &handshake_);
  PrepareReading();
  accepting_ = true;
  // The answer leaves when the session stands: who has it is reached by whatever is sent from then
  // on. Where there are other shards, that takes this one's next flush, which tells them of the
  // session's user and that this shard follows the empty topic.
  stream_.Cork();
  ws_->async_accept(upgrade.request, [this](error_code error) { OnAccepted(error); });
  if (handshake_.accepted) OpenSession(std::move(upgrade.user_id));
  if (set_->shard().engine().shard_count() > 1) {
    ++posts_;
    set_->shard().Post([this] {
      --posts_;
      stream_.Uncork();
      if (over_) Finish();
    });
  } else {
    stream_.Uncork();
  }
}

void Connection::OpenSession(std::string user_id) {
  ShardMetrics& metrics = set_->shard().metrics();
  metrics.ws_connections.Add(1);
  metrics.ws_connections_accepted.Add();
  session_ = set_->shard().OpenSession(
      {.kind = TransportKind::kWebSocket,
       .encoding = handshake_.deflate ? dialect_->deflated : dialect_->encoding,
       .transport = this,
       .user_id = std::move(user_id),
       .adopt_user_id = true,
       .welcome = dialect_->greets,
       .expect_hello = dialect_->greets});
  stream_.set_session(session_);
}

void Connection::OnAccepted(error_code error) {
  accepting_ = false;
  if (error) return OnReadError(error);
  SetNotSentLowWater(stream_.native_handle());
  // No TCP_USER_TIMEOUT: the kernel counts a closed window as silence, so it breaks the connection
  // of a client that stops reading for a while and still sends (measured; tcp_probe_timer since
  // Linux 5.11). A peer that is gone does not answer the ping.
  cut_off_at_ = {};
  set_->CheckAt(this, stream_.last_received() + options().ping_interval);
  if (early_close_ != nullptr) {
    SendClose(std::move(*early_close_));
    early_close_.reset();
  } else {
    StartReading();
  }
}

// --- The end.

void Connection::Close(Outcome outcome, std::string_view detail) {
  // Runs on: shard thread
  assert(set_->shard().IsCurrent());
  if (outcome_) return;
  outcome_ = outcome;
  const OutcomeInfo& info = Info(outcome);
  std::string reason = Concat({info.name, ": ", detail.empty() ? info.text : detail});
  // Posted: the engine may be in the middle of handling a message, or of lending ranges.
  ++posts_;
  set_->shard().Post([this, reason = std::move(reason)]() mutable {
    --posts_;
    SendClose(std::move(reason));
  });
}

void Connection::SendClose(std::string reason) {
  if (over_) return Finish();
  if (accepting_) {
    early_close_ = std::make_unique<std::string>(std::move(reason));
    return;
  }
  LimitEnd();
  if (ws_ == nullptr) HandOver({});
  // What ends an async_close well is the peer's close frame.
  stream_.set_close_at_once();
  closing_ = true;
  const std::string_view kept = Utf8Prefix(reason, kMaxReasonBytes);
  ws_->async_close({static_cast<websocket::close_code>(CloseCodeOf(*outcome_)),
                    boost::beast::string_view(kept.data(), kept.size())},
                   [this](error_code error) {
                     closing_ = false;
                     over_ = true;
                     if (!error) peer_closed_ = true;
                     Finish();
                   });
}

void Connection::OnStreamEnding() { LimitEnd(); }

// What is left of this connection's life has to end in close_timeout.
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
  // Whichever of these comes last calls again.
  if (accepting_ || reading_ || closing_ || posts_ > 0) return;
  if (session_ != nullptr) {
    ShardMetrics& metrics = set_->shard().metrics();
    metrics.ws_connections.Add(-1);
    if (!peer_closed_ && !stream_.close_frame_sent()) metrics.ws_closed_errors.Add();
    stream_.set_session(nullptr);
    std::exchange(session_, nullptr)->End(*outcome_);
  }
  stream_.HardClose();
  set_->Remove(this);
}

// --- Time.

TimePoint Connection::CheckDeadlines(TimePoint now) {
  if (cut_off_at_ != TimePoint()) {
    if (now < cut_off_at_) return cut_off_at_;
    HardClose();
    return now + options().close_timeout;
  }
  // A close is on its way.
  if (outcome_) return now + options().close_timeout;

  const TimePoint received = stream_.last_received();
  const TimePoint silent_at = std::max(received, stream_.last_taken()) + options().idle_timeout;
  if (now >= silent_at) {
    Close(Outcome::kIdleTimeout, {});
    return now + options().close_timeout;
  }
  if (ping_.awaited(received)) {
    const TimePoint answer_at = ping_.sent() + options().ping_timeout;
    if (now < answer_at) return std::min(answer_at, silent_at);
    if (ping_.IsOnItsWay(now, stream_.native_handle(), options().idle_timeout)) {
      return std::min(now + options().ping_timeout, silent_at);
    }
    Close(Outcome::kIdleTimeout, "no answer to a ping");
    return now + options().close_timeout;
  }
  const TimePoint ping_at = received + options().ping_interval;
  if (now < ping_at) return std::min(ping_at, silent_at);
  ping_.Sent(now, stream_.native_handle());
  stream_.Ping();
  return now + options().ping_timeout;
}

}  // namespace crier
