// A session over a WebSocket: messages to frames for the engine, and the connection's life.
//
// Who reads. Beast answers the upgrade. From then on the connection has no Beast stream (which
// would be by far the largest part of it) and looks at received bytes itself: whole messages in one
// frame each, pings and pongs (frame_reader.h). With the first thing that is none of these Beast
// takes over for good; to it the connection is a new one, since what it has not seen was whole.
// That first thing is the peer's close frame mostly, or a close of our own; or else a fragment, a
// frame longer than the shard's receive buffer, or an error. With permessage-deflate Beast reads
// from the start.
//
// How it ends. There are four causes: the peer's close frame, the peer's going without one, an
// error that Beast answers with a close frame of its own, and Close (by the engine, or by a
// deadline here). The first cause gives the outcome. Whatever the cause, the end is the same: once
// no operation is under way any more (Finish), the session is ended, once, and the connection
// removed. Operations come to an end by themselves or, after close_timeout, by a hard close.
#ifndef CRIER_SERVER_WEBSOCKET_CONNECTION_H_
#define CRIER_SERVER_WEBSOCKET_CONNECTION_H_

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/engine/session.h"
#include "server/engine/transport.h"
#include "server/transport/ping_watch.h"
#include "server/websocket/beast_stream.h"
#include "server/websocket/dialect.h"
#include "server/websocket/gather_stream.h"
#include "server/websocket/handshake.h"
#include "server/websocket/message_buffer.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/upgrade.h"
#include "server/websocket/websocket_context.h"

namespace crier {

// Runs on: shard thread, all of it.
class Connection final : public PolledConnection, public Transport, private GatherStream::Owner {
 public:
  // Makes a connection, puts it into `set` and answers the upgrade. Both outlive it.
  static void Start(ShardConnections* set, const WebSocketContext* context, Upgrade upgrade);

  Connection(ShardConnections* set, const WebSocketContext* context, Upgrade* upgrade);

  // --- Transport.
  void Wake() override { stream_.FlushInto(&set_->sends()); }
  void Close(Outcome outcome, std::string_view detail) override;

  // --- PolledConnection.
  TimePoint CheckDeadlines(TimePoint now) override;
  void GoAway() override;
  void HardClose() override { stream_.HardClose(); }

  // --- For Beast: where the rest of the current message goes.
  boost::asio::mutable_buffer room();

 private:
  using error_code = boost::system::error_code;

  const WebSocketOptions& options() const { return context_->options; }
  TimePoint now() const { return set_->poller().now(); }

  void OnStreamEnding() override;

  void Accept(Upgrade upgrade);
  void OpenSession(std::string user_id);
  void OnAccepted(error_code error);

  // --- connection_read.cc
  void PrepareReading();
  void StartReading();
  // Without Beast.
  void ReadFrames();
  void OnBytes(error_code error, size_t count);
  void HandleBytes(std::span<char> bytes);
  // Beast reads from here on, beginning with a frame that was cut and then these bytes.
  void HandOver(std::string_view unconsumed);
  // Beast.
  void Read();
  void OnRead(error_code error, size_t bytes);
  // Either way.
  void HandleMessage(std::string_view payload, bool binary);
  void OnReadError(error_code error);

  void SendClose(std::string reason);
  void LimitEnd();
  void Finish();

  ShardConnections* const set_;
  const WebSocketContext* const context_;
  ConnectionTable::Place place_;
  GatherStream stream_;
  // Null while there is no need of it: see above.
  std::unique_ptr<BeastStream> ws_;
  Session* session_ = nullptr;
  // Without ws_: the bytes of a frame whose rest has not come.
  std::unique_ptr<std::string> cut_frame_;
  // With ws_: the current message.
  std::unique_ptr<MessageBuffer> message_;

  // Of a close that came before the upgrade was through.
  std::unique_ptr<std::string> early_close_;

  PingWatch ping_;
  // Where it is set: the connection is cut off then.
  TimePoint cut_off_at_{};

  const Dialect* dialect_ = nullptr;  // set by Accept
  int posts_ = 0;                     // to the shard, that refer to this connection
  HandshakeResult handshake_;
  std::optional<Outcome> outcome_;  // set by the first cause
  bool accepting_ = false;          // under way
  bool reading_ = false;            // under way
  bool in_read_ = false;            // Read is on the stack
  bool read_again_ = false;         // it has to go on
  bool closing_ = false;            // async_close is under way
  bool over_ = false;               // the reading side has come to its end
  bool peer_closed_ = false;        // its close frame was read
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_CONNECTION_H_
