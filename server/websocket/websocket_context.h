// The state that all connections of a WebSocketServer share.
#ifndef CRIER_SERVER_WEBSOCKET_WEBSOCKET_CONTEXT_H_
#define CRIER_SERVER_WEBSOCKET_WEBSOCKET_CONTEXT_H_

#include <atomic>

#include "server/base/log_limit.h"
#include "server/net/address_blocks.h"
#include "server/service/unary_methods.h"
#include "server/transport/tls_context.h"
#include "server/websocket/options.h"

namespace crier {

class MetricsThread;

// Thread-safe.
struct WebSocketContext {
  const WebSocketOptions options;
  std::atomic<bool> ready{false};
  std::atomic<bool> accepting{true};
  // HttpContext has the same. Set before the first connection comes.
  bool loopback_only = false;
  const AddressBlocks* trusted_proxies = nullptr;
  const UnaryMethods* methods = nullptr;
  const TlsContext* tls = nullptr;  // null: none
  // Of the log's lines about refused origins.
  mutable LogLimit refused_origins{};
  // Set before the first connection comes, and outlives the last. Null: /metrics is not served.
  MetricsThread* metrics = nullptr;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_WEBSOCKET_CONTEXT_H_
