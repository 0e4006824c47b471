// What every connection of a WebSocketServer shares.
#ifndef CRIER_SERVER_WEBSOCKET_WEBSOCKET_CONTEXT_H_
#define CRIER_SERVER_WEBSOCKET_WEBSOCKET_CONTEXT_H_

#include <atomic>

#include "server/websocket/options.h"

namespace crier {

// Thread-safe.
struct WebSocketContext {
  const WebSocketOptions options;
  std::atomic<bool> ready{false};
  std::atomic<bool> accepting{true};
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_WEBSOCKET_CONTEXT_H_
