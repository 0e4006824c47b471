// /echo: sends every WebSocket message back unchanged, for conformance suites.
#ifndef CRIER_SERVER_WEBSOCKET_ECHO_CONNECTION_H_
#define CRIER_SERVER_WEBSOCKET_ECHO_CONNECTION_H_

#include <cstddef>
#include <string_view>

#include "server/websocket/frame_stream.h"
#include "server/websocket/handshake.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/upgrade.h"
#include "server/websocket/websocket_context.h"

namespace crier {

// It has no session, and the engine does not know it. While much waits to be sent, nothing is read.
//
// Runs on: shard thread, all of it.
class EchoConnection final : public PolledConnection, private FrameStream::Owner {
 public:
  static constexpr size_t kMaxMessageBytes = 16 << 20;

  // As Connection::Start.
  static void Start(ShardConnections* set, const WebSocketContext* context, Upgrade* upgrade);

  EchoConnection(ShardConnections* set, const WebSocketContext* context, const Handshake& handshake,
                 Upgrade* upgrade);

  TimePoint CheckDeadlines(TimePoint now) override;
  void GoAway() override { HardClose(); }
  void HardClose() override { stream_.HardClose(); }
  void OnFailed() override { stream_.Abandon({}); }

 private:
  // A message that is ready may wait behind so much.
  static constexpr size_t kMaxWaitingBytes = 64 << 10;

  // --- FrameStream::Owner.
  void OnMessage(std::string_view payload, bool binary) override;
  bool OnPing() override { return true; }
  void OnDrained() override { stream_.ReadOn(); }
  void OnEnding(Outcome) override { LimitEnd(); }
  void OnBroken() override { LimitEnd(); }
  void OnOver() override { set_->Remove(this); }
  void OnException() override { set_->Fail(this); }

  void LimitEnd();

  ShardConnections* const set_;
  const WebSocketContext* const context_;
  ConnectionTable::Place place_;
  FrameStream stream_;
  const int deflate_window_bits_;  // 0: messages are not deflated
  TimePoint cut_off_at_{};         // where it is set
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_ECHO_CONNECTION_H_
