// A whole server of one shard, with a transport and the engine. The calling thread drives it by
// hand, and its clock stands still. So the same calls give the same counts, however fast the
// machine is.
#ifndef CRIER_TESTS_BENCH_GUARD_SERVER_H_
#define CRIER_TESTS_BENCH_GUARD_SERVER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "server/base/clock.h"
#include "server/engine/engine.h"
#include "server/grpc/grpc_connections.h"
#include "server/grpc/messaging_service.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "server/websocket/shard_connections.h"
#include "server/websocket/websocket_context.h"
#include "tests/bench/guard_clients.h"

namespace crier::guard {

// Moves when it is told to, and counts how often it is read. Not thread-safe.
class GuardClock final : public Clock {
 public:
  TimePoint Now() const override {
    ++readings_;
    return now_;
  }
  int64_t WallNanos() const override {
    ++readings_;
    constexpr int64_t kStart = 1'713'910'000'000'000'000;  // of 2024, so that its width is real
    return kStart + now_.time_since_epoch().count();
  }
  void Advance(Duration by) { now_ += by; }
  uint64_t readings() const { return readings_; }

 private:
  TimePoint now_{std::chrono::hours(1)};
  mutable uint64_t readings_ = 0;
};

class GuardServer {
 public:
  // `io_uring`: send in batches. Fails the program if the kernel refuses it.
  GuardServer(Protocol protocol, bool io_uring);
  ~GuardServer();
  GuardServer(const GuardServer&) = delete;
  GuardServer& operator=(const GuardServer&) = delete;

  // Upgrades a new client, or serves its Connect call. `user`: empty: none.
  void Connect(GuardClients* clients, std::string_view user);
  // Lets time pass until nothing is left of what a new connection needs for a moment only.
  void Settle();

  Shard& shard() { return engine_.shard(0); }
  GuardClock& clock() { return clock_; }
  Engine& engine() { return engine_; }

 private:
  GuardClock clock_;
  Metrics metrics_{1};
  Engine engine_;
  ConnectionTable table_;
  WebSocketContext context_;
  GrpcOptions grpc_options_;
  MessagingService messaging_;
  MethodTable methods_;
  // The one of the protocol, and the same as what both are.
  std::unique_ptr<ShardConnections> websockets_;
  std::unique_ptr<GrpcConnections> grpc_;
  ConnectionSet* connections_;
};

}  // namespace crier::guard

#endif  // CRIER_TESTS_BENCH_GUARD_SERVER_H_
