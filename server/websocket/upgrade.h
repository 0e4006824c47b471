// What an HTTP connection hands over when it becomes a WebSocket.
#ifndef CRIER_SERVER_WEBSOCKET_UPGRADE_H_
#define CRIER_SERVER_WEBSOCKET_UPGRADE_H_

#include <string>

#include "server/net/connection_table.h"
#include "server/websocket/gather_stream.h"
#include "server/websocket/http_routes.h"

namespace crier {

struct Upgrade {
  GatherStream::Handle socket;
  ConnectionTable::Place place;
  HttpRequest request;  // checked: it asks for a WebSocket and may have one
  std::string unread;   // what the client sent behind the request
  std::string user_id;  // of the URL; empty: none
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_UPGRADE_H_
