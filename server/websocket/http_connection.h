// A connection while it speaks HTTP: answers requests until one becomes a WebSocket.
#ifndef CRIER_SERVER_WEBSOCKET_HTTP_CONNECTION_H_
#define CRIER_SERVER_WEBSOCKET_HTTP_CONNECTION_H_

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <optional>

#include "server/net/acceptor.h"
#include "server/websocket/gather_stream.h"
#include "server/websocket/http_routes.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/websocket_context.h"

namespace crier {

// Runs on: shard thread, all of it.
class HttpConnection final : public PolledConnection {
 public:
  // Makes a connection, puts it into `set` and starts it. Both outlive it.
  static void Start(ShardConnections* set, const WebSocketContext* context,
                    AcceptedConnection accepted);

  HttpConnection(ShardConnections* set, const WebSocketContext* context,
                 AcceptedConnection accepted);

  TimePoint CheckDeadlines(TimePoint now) override;
  void GoAway() override { HardClose(); }
  void HardClose() override { stream_.HardClose(); }

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;
  using error_code = boost::system::error_code;

  void ReadRequest();
  void OnRequest(error_code error);
  void OnBadRequest(error_code error);
  void OnAnswered(error_code error);
  void Answer(HttpResponse response);
  void HandOver(HttpAnswer answer);
  void ShutDown();
  // Nothing is under way any more.
  void Finish();

  ShardConnections* const set_;
  const WebSocketContext* const context_;
  ConnectionTable::Place place_;
  GatherStream stream_;
  TimePoint deadline_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  HttpResponse response_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HTTP_CONNECTION_H_
