// Every metric of the server. The names, types and help texts are declared in metrics.cc, in one
// table; the instruments themselves belong to shards, so that counting takes no lock.
#ifndef CRIER_SERVER_METRICS_METRICS_H_
#define CRIER_SERVER_METRICS_METRICS_H_

#include <prometheus/collectable.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/base/outcome.h"
#include "server/metrics/instruments.h"

namespace crier {

// By which way a session came in.
enum class TransportKind : uint8_t { kWebSocket, kGrpc };
inline constexpr size_t kTransportCount = 2;

// What a client frame asked for; the label of crier_messages_received_total.
enum class ActionKind : uint8_t {
  kDirect,
  kBroadcast,
  kPing,
  kPong,
  kSubscribe,
  kUnsubscribe,
  kPresence,
  kHello,
  kInvalid,  // refused by the codec
};
inline constexpr size_t kActionCount = static_cast<size_t>(ActionKind::kInvalid) + 1;

// Why events were skipped; the label of crier_events_skipped_total.
enum class SkipKind : uint8_t { kSlowConsumer, kExpired, kNewEpoch };
inline constexpr size_t kSkipCount = 3;

// How a resume point was answered; the label of crier_resumes_total.
enum class ResumeKind : uint8_t { kComplete, kGap, kNewEpoch };
inline constexpr size_t kResumeCount = 3;

// Why a connection was refused; the label of crier_connections_refused_total.
enum class RefusalKind : uint8_t {
  kTotal,       // as many connections as there may be
  kPerAddress,  // as many from this address
  kDescriptors  // no descriptor left
};
inline constexpr size_t kRefusalCount = 3;

// Connections of both transports, before they are sessions. Written under the lock of the
// ConnectionTable.
struct ConnectionMetrics {
  Gauge open;
  Gauge limit;
  std::array<Counter, kRefusalCount> refused;
};

// One shard's instruments. Written on the shard's thread only.
struct ShardMetrics {
  struct PerTransport {
    Gauge sessions;
    Gauge sessions_lagging;
    std::array<Counter, kOutcomeCount> ended;
    std::array<Counter, kActionCount> received;
    Counter events_delivered;
    Counter bytes_sent;
    Counter writes;
    Histogram delivery_seconds;
  };

  std::array<PerTransport, kTransportCount> transports;
  PerTransport& of(TransportKind kind) { return transports[static_cast<size_t>(kind)]; }
  const PerTransport& of(TransportKind kind) const { return transports[static_cast<size_t>(kind)]; }

  // The study's own names: ws_connections, all_ws_connections_total, ...
  Gauge ws_connections;
  Counter ws_connections_accepted;
  Counter ws_closed_errors;
  Histogram ws_broadcast_seconds;
  Histogram ws_handling_seconds;

  std::array<Counter, kSkipCount> events_skipped;
  std::array<Counter, kResumeCount> resumes;
  Gauge topics;     // with this shard as their home
  Gauge log_bytes;  // of topics with this shard as their home
};

// Owns the instruments of all shards and shows them to Prometheus.
class Metrics final : public prometheus::Collectable {
 public:
  explicit Metrics(size_t shards);

  // The reference lives as long as this object.
  ShardMetrics& shard(size_t index) { return *shards_[index]; }
  ConnectionMetrics& connections() { return connections_; }

  // Thread-safe.
  std::vector<prometheus::MetricFamily> Collect() const override;

  // The same in Prometheus's text format. Thread-safe.
  std::string Text() const;

 private:
  std::vector<std::unique_ptr<ShardMetrics>> shards_;
  ConnectionMetrics connections_;
};

}  // namespace crier

#endif  // CRIER_SERVER_METRICS_METRICS_H_
