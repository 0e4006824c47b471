// The server: owns every part, starts them in order, stops them in reverse.
#ifndef CRIER_SERVER_APP_H_
#define CRIER_SERVER_APP_H_

#include <string>

#include "absl/status/status.h"
#include "server/engine/engine.h"
#include "server/grpc/grpc_server.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "server/options.h"
#include "server/websocket/websocket_server.h"

namespace crier {

// Runs on: one thread that is no shard's, the one that made it. To be made after signals are
// blocked, since its threads take over the mask.
class App {
 public:
  explicit App(const ServerOptions& options);
  // Stops first, where it was started.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // All ports answer when it returns OK. Else the status names the flag, the address and the
  // reason, in one line for people. Once.
  absl::Status Start();

  // The line that scripts wait for, "crierd VERSION ready http=ADDR grpc=ADDR", and a line each on
  // how to try it. After Start.
  std::string ReadyText() const;

  // Stops accepting, tells every session with its own reconnect slot, and closes them spread over
  // most of the drain time. Returns as soon as no session is left, and in any case in time for Stop
  // to be done by the end of the drain time. Once, after Start.
  void Drain();

  // Ends all threads. What is still open is gone.
  void Stop();

 private:
  const ServerOptions options_;
  // In the order of their lives: each uses those above it.
  Metrics metrics_;
  ConnectionTable connections_;
  Engine engine_;
  WebSocketServer websocket_;
  GrpcServer grpc_;
  bool running_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_APP_H_
