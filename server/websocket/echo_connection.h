// /echo: sends every WebSocket message back as it came, for conformance suites.
#ifndef CRIER_SERVER_WEBSOCKET_ECHO_CONNECTION_H_
#define CRIER_SERVER_WEBSOCKET_ECHO_CONNECTION_H_

#include <boost/beast/core/flat_buffer.hpp>

#include "server/websocket/beast_stream.h"
#include "server/websocket/gather_stream.h"
#include "server/websocket/handshake.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/upgrade.h"
#include "server/websocket/websocket_context.h"

namespace crier {

// No session: the engine does not know of it. Data goes out by Beast here, so one message is in
// memory at a time, of at most kMaxMessageBytes.
//
// Runs on: shard thread, all of it.
class EchoConnection final : public PolledConnection, private GatherStream::Owner {
 public:
  static constexpr size_t kMaxMessageBytes = 16 << 20;

  // Makes a connection, puts it into `set` and answers the upgrade. Both outlive it.
  static void Start(ShardConnections* set, const WebSocketContext* context, Upgrade upgrade);

  EchoConnection(ShardConnections* set, const WebSocketContext* context, Upgrade* upgrade);

  TimePoint CheckDeadlines(TimePoint now) override;
  void GoAway() override { HardClose(); }
  void HardClose() override { stream_.HardClose(); }

 private:
  using error_code = boost::system::error_code;

  void OnStreamEnding() override;
  void Read();
  void OnRead(error_code error);
  void OnWritten(error_code error);
  void Finish();

  ShardConnections* const set_;
  const WebSocketContext* const context_;
  ConnectionTable::Place place_;
  GatherStream stream_;
  BeastStream ws_;
  HandshakeResult handshake_;
  boost::beast::flat_buffer message_;
  TimePoint cut_off_at_{};  // where it is set
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_ECHO_CONNECTION_H_
