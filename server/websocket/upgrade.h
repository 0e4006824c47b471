// The data that an HTTP connection hands over when it becomes a WebSocket.
#ifndef CRIER_SERVER_WEBSOCKET_UPGRADE_H_
#define CRIER_SERVER_WEBSOCKET_UPGRADE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/auth/authenticator.h"
#include "server/engine/gate.h"
#include "server/net/connection_table.h"
#include "server/transport/socket.h"
#include "server/websocket/http_routes.h"

namespace crier {

struct Upgrade {
  std::unique_ptr<Socket> socket;
  ConnectionTable::Place place;
  HttpRequest request;              // checked: it asks for a WebSocket and may have one
  std::string_view unread;          // bytes that the client sent after the request
  UserId user_id;                   // from the URL; empty: none
  std::optional<Grant> grant = {};  // SessionOptions::grant
  // The client's address, where it is not that of the socket's other end; null: it is.
  std::unique_ptr<const std::string> client = nullptr;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_UPGRADE_H_
