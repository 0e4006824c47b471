// What the administrator's side of the server needs to know of the rest.
#ifndef CRIER_SERVER_ADMIN_ADMIN_OPTIONS_H_
#define CRIER_SERVER_ADMIN_ADMIN_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <functional>

#include "crier/v1/admin.pb.h"
#include "server/grpc/options.h"
#include "server/websocket/options.h"

namespace crier {

struct AdminOptions {
  // The server has no keys, so whoever reaches the listener may call.
  bool open = true;
  // Fills in what only the server as a whole knows. Thread-safe. May be empty.
  std::function<void(v1::ServerInfo*)> describe = {};
  // Makes the server drain and stop, soon, and returns at once. Thread-safe; may be called twice.
  std::function<void()> drain = {};
  std::chrono::milliseconds drain_time{10'000};
  // Connections at once: those of clients do not count here, so that there is room when they have
  // used up theirs.
  size_t max_connections = 64;
  // Of them, from one address (CountedAddress): nobody holds all of them from one place. 0: no
  // limit, for where all come from this machine anyway.
  size_t max_connections_per_address = 0;

  WebSocketOptions http = {};
  GrpcOptions grpc = {};
};

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_ADMIN_OPTIONS_H_
