// A session over a WebSocket.
#ifndef CRIER_CLIENT_WEBSOCKET_CLIENT_H_
#define CRIER_CLIENT_WEBSOCKET_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "client/address.h"
#include "client/client.h"
#include "client/tcp_connection.h"
#include "client/websocket_frame.h"

namespace crier::client {

// Pings are answered, but only while Receive waits.
class WebSocketClient : public Client {
 public:
  // UNAVAILABLE: there is no session.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const WebSocketUrl& url,
                                                         const ConnectOptions& options);
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  absl::Status Send(const v1::ClientFrame& frame) override;
  absl::StatusOr<v1::Event> Receive(absl::Time deadline) override;
  void Close() override;

 private:
  explicit WebSocketClient(TcpConnection connection) : connection_(std::move(connection)) {}

  absl::Status Upgrade(const WebSocketUrl& url, std::string_view token, absl::Time deadline);
  absl::Status Write(std::string_view bytes, absl::Time deadline);
  absl::Status WriteFrame(Opcode opcode, std::string_view payload);
  // Waits for bytes and appends them to in_.
  absl::Status Read(absl::Time deadline);
  // Takes the next whole message out of in_, and answers the control frames before it.
  // DEADLINE_EXCEEDED: there is none yet.
  absl::StatusOr<std::string> TakeMessage();
  absl::Status TakeControl(Opcode opcode, std::string_view payload);
  absl::Status Ended(std::string_view why);

  TcpConnection connection_;
  std::string in_;
  std::string message_;  // The fragments so far.
  absl::Status ended_;   // Not OK: the session is over.
};

}  // namespace crier::client

#endif  // CRIER_CLIENT_WEBSOCKET_CLIENT_H_
