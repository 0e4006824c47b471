// A session over a WebSocket. Turns messages into frames for the engine, and watches the
// connection's time. The protocol is its FrameStream's.
//
// Pausing. A session that is held (Transport::PauseReading) is not read from: what its stream has
// received and not handed on yet is kept, at most a receive buffer of it, and what comes behind
// stays in the kernel. Nobody then looks at the socket but for its breaking. So the peer's close
// frame, or the end of what it sends, is seen in its turn, behind what was sent before it; a reset
// is seen at once, and with it the session is not held for its answers any more.
//
// How it ends. There are four causes: the peer's close frame, the peer's going without one, a rule
// that the peer has broken, and Close (by the engine, or by a deadline here). The first cause gives
// the outcome. Whatever the cause, the stream is over once (FrameStream::Owner::OnOver), by itself
// or, after close_timeout, by a hard close. The connection is removed then, as soon as nothing that
// was posted refers to it any more (Finish).
#ifndef CRIER_SERVER_WEBSOCKET_CONNECTION_H_
#define CRIER_SERVER_WEBSOCKET_CONNECTION_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/engine/session.h"
#include "server/engine/transport.h"
#include "server/transport/ping_watch.h"
#include "server/websocket/dialect.h"
#include "server/websocket/frame_stream.h"
#include "server/websocket/handshake.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/upgrade.h"
#include "server/websocket/websocket_context.h"

namespace crier {

// Runs on: shard thread, all of it.
class Connection final : public PolledConnection, public Transport, private FrameStream::Owner {
 public:
  // Makes a connection of *upgrade, puts it into `set` and answers the upgrade. Both outlive it.
  // Where this throws, *upgrade still has its socket.
  static void Start(ShardConnections* set, const WebSocketContext* context, Upgrade* upgrade);

  Connection(ShardConnections* set, const WebSocketContext* context, const Dialect* dialect,
             const Handshake& handshake, Upgrade* upgrade);

  // --- Transport.
  void Wake() override {
    set_->Guard(this, [this] { stream_.FlushInto(&set_->sends()); });
  }
  void Close(Outcome outcome, std::string_view detail) override;
  void PauseReading() override;
  void ResumeReading() override;
  std::string PeerAddress() const override;

  // --- PolledConnection.
  TimePoint CheckDeadlines(TimePoint now) override;
  void GoAway() override;
  void HardClose() override { stream_.HardClose(); }
  void OnFailed() override;

 private:
  const WebSocketOptions& options() const { return context_->options; }
  TimePoint now() const { return set_->poller().now(); }

  // --- FrameStream::Owner.
  void OnMessage(std::string_view payload, bool binary) override;
  bool OnPing() override { return session_->AllowControlFrame(); }
  void OnDrained() override {}
  void OnEnding(Outcome outcome) override;
  void OnBroken() override { LimitEnd(); }
  void OnOver() override { Finish(); }
  void OnException() override { set_->Fail(this); }

  void Accept(Handshake handshake, UserId user_id, std::optional<Grant> grant);
  void OpenSession(bool deflated, UserId user_id, std::optional<Grant> grant);
  // The answer to the upgrade leaves, and reading begins.
  void Begin();
  void Handle(std::string_view payload, bool binary);
  // Runs `task` in a turn of its own, if the connection is not over by then.
  template <class Task>
  void Post(Task task);
  std::string CloseReason(Outcome outcome, std::string_view detail) const override;
  void LimitEnd();
  void EndSession();
  void Finish();

  ShardConnections* const set_;
  const WebSocketContext* const context_;
  const Dialect* const dialect_;
  Session* session_ = nullptr;
  ConnectionTable::Place place_;
  const std::unique_ptr<const std::string> client_;  // Upgrade::client
  FrameStream stream_;
  PingWatch ping_;
  // If set: the connection is cut off at this time.
  TimePoint cut_off_at_{};
  int posts_ = 0;                   // tasks posted to the shard that refer to this connection
  std::optional<Outcome> outcome_;  // set by the first cause
  bool begun_ = false;
  bool held_ = false;            // by the session
  bool read_on_posted_ = false;  // ResumeReading's post is under way
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_CONNECTION_H_
