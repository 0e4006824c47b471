// A connection that speaks HTTP. It answers requests until one becomes a WebSocket.
#ifndef CRIER_SERVER_WEBSOCKET_HTTP_CONNECTION_H_
#define CRIER_SERVER_WEBSOCKET_HTTP_CONNECTION_H_

#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/engine/memory_budget.h"
#include "server/net/acceptor.h"
#include "server/transport/socket.h"
#include "server/websocket/http_routes.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/websocket_context.h"

namespace crier {

// One request at a time: while it is answered, nothing is read. What a client sends ahead is at
// most a receive buffer here.
//
// Runs on: shard thread, all of it.
class HttpConnection final : public PolledConnection, private Socket::Owner {
 public:
  // Makes a connection, puts it into `set` and starts it. Both have to outlive it.
  static void Start(ShardConnections* set, const WebSocketContext* context,
                    AcceptedConnection accepted);

  HttpConnection(ShardConnections* set, const WebSocketContext* context,
                 AcceptedConnection accepted);

  TimePoint CheckDeadlines(TimePoint now) override;
  void GoAway() override { HardClose(); }
  void HardClose() override { Finish(); }
  void OnFailed() override;

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::empty_body>;
  using error_code = boost::system::error_code;

  //       ,--> kReadingBody --.
  //       |                   v
  //   kReading <---------> kAnswering --> kLeaving --> kOver
  //
  enum class Phase : uint8_t {
    kReading,      // a request
    kReadingBody,  // the rest of one that makes a call
    kAnswering,    // one; nothing is read
    kLeaving,      // the last answer has left; the socket lingers
    kOver,         // the socket is closed, or is another connection's
  };

  // --- Socket::Owner.
  void OnBytes(std::span<char> bytes) override;
  void OnEnd(int) override { Finish(); }
  void OnWritable() override { SendOutput(); }
  void OnSent(size_t) override {}
  void OnBroken() override { Finish(); }
  void OnLingered() override { Finish(); }
  void OnException() override { set_->Fail(this); }

  // A request that makes a call.
  struct PendingCall {
    HttpRequest head;
    boost::beast::http::request_parser<boost::beast::http::string_body> body;
    const UnaryMethod& method;
    ConnectFraming framing;
    Caller caller;
    std::string client;  // its address
    TimePoint deadline;  // of the call; max(): none
    MemoryShare memory;  // of the body
  };

  // How long the client may take for a request, or to take an answer.
  std::chrono::milliseconds patience() const;
  // Reads requests from `input` until one waits for its answer, and keeps the rest.
  void ReadRequests(std::string_view input);
  // Takes a request's header off the front of *input. False: it is not whole.
  bool ReadHeader(std::string_view* input);
  void OnRequest(std::string_view* input);
  // Takes a call's body off the front of *input. False: it is not whole.
  bool ReadBody(std::string_view* input);
  // Returns false.
  bool RefuseBody(const ConnectAnswer& answer);
  void BeginCall(HttpAnswer answer, bool body_has_begun);
  void MakeCall();
  void AnswerCall(const ConnectAnswer& answer);
  // In crier_http_calls_total. `method`: null: there is none.
  void CountCall(const UnaryMethod* method, int code);
  // Goes on with the next request when others of this shard have had their turn: a call costs more
  // than reading it.
  void GoOnLater();
  void LogRefusedOrigin(std::string_view client);
  void OnBadRequest(error_code error);
  void AnswerRequested(HttpResponse response);
  void Answer(HttpResponse response);
  void SendOutput();
  void OnAnswered();
  // Answers when the text is there; nothing is under way until then.
  void AskForMetrics();
  void HandOver(HttpAnswer answer, std::string_view unread);
  void Finish();

  ShardConnections* const set_;
  const WebSocketContext* const context_;
  const std::string peer_;
  ConnectionTable::Place place_;
  std::unique_ptr<Socket> socket_;
  TimePoint deadline_;  // of the client: for a request, or to take an answer
  Phase phase_ = Phase::kReading;
  bool keep_alive_ = false;   // after the answer
  bool in_requests_ = false;  // ReadRequests is on the stack
  bool has_answered_ = false;
  std::string input_;  // what has come and was not read yet
  std::optional<Parser> parser_;
  size_t header_bytes_ = 0;   // of the request that is read or answered
  MemoryShare input_memory_;  // of both
  std::string output_;        // from sent_ on, it waits to be sent
  size_t sent_ = 0;
  MemoryShare output_memory_;
  std::unique_ptr<PendingCall> call_;
  std::shared_ptr<void> asks_;  // set while the text of /metrics, a call, or a turn is awaited
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HTTP_CONNECTION_H_
