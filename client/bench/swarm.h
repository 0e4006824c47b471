// Thousands of clients in one thread, on any transport.
#ifndef CRIER_CLIENT_BENCH_SWARM_H_
#define CRIER_CLIENT_BENCH_SWARM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/bench/delivery.h"
#include "client/tls.h"

namespace crier::bench {

// Why a session ended or never began, if the benchmark did not end it.
struct SessionEnd {
  enum class Kind {
    kConnectFailed,  // No connection.
    kRefused,        // The server answered, but not with a session.
    kClosed,         // The server closed it, and said so.
    kLost,           // Reset, or ended without a word.
    kProtocol,       // The server sent what it must not send.
  };
  Kind kind = Kind::kLost;
  std::string what;  // One line, the same for the same cause, so that causes can be counted.
};

// Is told of every event of the swarm. Called from Swarm::Poll and Swarm::Grant. May call every
// other function of the swarm.
class SwarmHandler {
 public:
  virtual ~SwarmHandler() = default;
  virtual void OnOpen(uint32_t slot, int64_t connect_ns) = 0;
  // `now` is when the bytes were received.
  virtual void OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) = 0;
  virtual void OnEnd(uint32_t slot, const SessionEnd& end) = 0;
};

struct SwarmOptions {
  uint32_t slots = 0;
  // A topic is named by its index in this list. "" is the topic that every session follows.
  std::vector<std::string> topics = {""};
  // WebSocket.
  std::string url;
  // gRPC.
  std::string grpc_address;
  uint32_t connections = 1;
  // For wss://, and for gRPC where there are files.
  client::TlsFiles tls;
  // Every client gives it. Empty: none.
  std::string token;
};

// A fixed number of slots, each with one client or none. All calls and callbacks are on one thread.
class Swarm {
 public:
  virtual ~Swarm() = default;

  // Begins a session in an empty slot. OnOpen or OnEnd follows, never from within this call.
  virtual void Open(uint32_t slot) = 0;
  virtual bool is_open(uint32_t slot) const = 0;

  // Sends. Does nothing if the slot is not open. Bytes that the kernel does not take are kept.
  virtual void Broadcast(uint32_t slot, size_t topic, std::string_view body) = 0;
  virtual void Direct(uint32_t slot, std::string_view body) = 0;
  virtual void Subscribe(uint32_t slot, size_t topic) = 0;

  // A client that does not read takes nothing from its socket. Its events wait in the kernel, and
  // then in the server.
  virtual void SetReading(uint32_t slot, bool reading) = 0;
  // Lets a client that does not read take about this many bytes.
  virtual void Grant(uint32_t slot, size_t bytes) = 0;

  // Leaves at once, even with data unread. A WebSocket client sends a close frame with this code
  // and closes its socket. A gRPC client cancels its stream when its last message is on its way. No
  // OnEnd follows. A gRPC server may drop messages of a stream that is cancelled after they came,
  // so over gRPC the last message may not be handled.
  virtual void Leave(uint32_t slot, uint16_t code) = 0;

  // Handles events, or waits for them until `deadline` (NowNs). Returns early if something was
  // handled.
  virtual void Poll(int64_t deadline) = 0;

  // Bytes taken from sockets (WebSocket) or messages (gRPC).
  virtual uint64_t bytes_received() const = 0;
};

// Errors: an address that is wrong or cannot be resolved, or a wrong file for TLS.
absl::StatusOr<std::unique_ptr<Swarm>> MakeWebSocketSwarm(const SwarmOptions& options,
                                                          SwarmHandler* handler);
absl::StatusOr<std::unique_ptr<Swarm>> MakeGrpcSwarm(const SwarmOptions& options,
                                                     SwarmHandler* handler);

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_SWARM_H_
