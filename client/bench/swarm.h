// Thousands of clients in one thread, whatever they speak.
#ifndef CRIER_CLIENT_BENCH_SWARM_H_
#define CRIER_CLIENT_BENCH_SWARM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/bench/delivery.h"

namespace crier::bench {

// Why a session ended, or never began, without the benchmark asking for it.
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

// Hears of everything that happens. Called from within Swarm::Poll and Swarm::Grant; may call any
// function of the swarm but these two.
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
  // Topics are named by their place in this list; "" is the topic that every session follows.
  std::vector<std::string> topics = {""};
  // WebSocket.
  std::string url;
  // gRPC.
  std::string grpc_address;
  uint32_t connections = 1;
};

// A fixed number of slots, each of which is one client, or none. All calls and all callbacks are on
// one thread.
class Swarm {
 public:
  virtual ~Swarm() = default;

  // Begins a session in an empty slot. OnOpen or OnEnd follows, never from within this call.
  virtual void Open(uint32_t slot) = 0;
  virtual bool is_open(uint32_t slot) const = 0;

  // Sends; does nothing where the slot is not open. What the kernel does not take is kept.
  virtual void Broadcast(uint32_t slot, size_t topic, std::string_view body) = 0;
  virtual void Direct(uint32_t slot, std::string_view body) = 0;
  virtual void Subscribe(uint32_t slot, size_t topic) = 0;

  // A client that does not read takes nothing from its socket; what arrives waits in the kernel and
  // then in the server.
  virtual void SetReading(uint32_t slot, bool reading) = 0;
  // Lets a client that does not read take about so many bytes.
  virtual void Grant(uint32_t slot, size_t bytes) = 0;

  // Says goodbye and is gone at once, whatever lies unread: a WebSocket client sends a close frame
  // with this code and closes its socket, a gRPC client cancels its stream when its last message is
  // on its way. No OnEnd follows. What a gRPC server has received of a stream that is then
  // cancelled it may drop, so there the last message is not certain to be handled.
  virtual void Leave(uint32_t slot, uint16_t code) = 0;

  // Handles what is ready, or waits for it, until `deadline` (NowNs) at the latest. Returns early
  // where something was handled.
  virtual void Poll(int64_t deadline) = 0;

  // Bytes taken from sockets (WebSocket) or messages (gRPC).
  virtual uint64_t bytes_received() const = 0;
};

// Errors: an address that is wrong or cannot be resolved.
absl::StatusOr<std::unique_ptr<Swarm>> MakeWebSocketSwarm(const SwarmOptions& options,
                                                          SwarmHandler* handler);
absl::StatusOr<std::unique_ptr<Swarm>> MakeGrpcSwarm(const SwarmOptions& options,
                                                     SwarmHandler* handler);

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_SWARM_H_
