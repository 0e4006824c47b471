// Every metric of the server. One table in metrics.cc declares the names, types and help texts. The
// instruments belong to shards, so that counting needs no lock.
#ifndef CRIER_SERVER_METRICS_METRICS_H_
#define CRIER_SERVER_METRICS_METRICS_H_

#include <prometheus/collectable.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/outcome.h"
#include "server/base/token_fault.h"
#include "server/metrics/instruments.h"

namespace crier {

// The transport of a session.
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
  kAuth,
  kHello,
  kInvalid,  // refused by the codec
};
inline constexpr size_t kActionCount = static_cast<size_t>(ActionKind::kInvalid) + 1;

// Why events were skipped; the label of crier_events_skipped_total.
enum class SkipKind : uint8_t { kSlowConsumer, kExpired, kNewEpoch, kUnencodable };
inline constexpr size_t kSkipCount = 4;

// What memory is kept for; the label of crier_memory_bytes.
enum class MemoryKind : uint8_t {
  kLogs,       // topics' logs, and slices of them made for those that resume
  kTopics,     // topics themselves, and who follows them
  kIds,        // remembered ids of publishes
  kMailboxes,  // direct messages, answers and gaps that sessions have not taken
  kSessions,   // sessions, and what they follow
  kMail,       // between shards
  kInput,      // partly received messages
  kOutput,     // what waits to be sent outside of logs and mailboxes
  kHttp2,      // streams of HTTP/2 connections, and control frames that wait there
  kTls,        // sessions of TLS, and what was encrypted and waits to be sent
  kCluster,    // what is on its way to the cluster's servers, and names that it listens for
};
inline constexpr size_t kMemoryKindCount = static_cast<size_t>(MemoryKind::kCluster) + 1;

// Servers of one cluster.
inline constexpr size_t kMostClusterServers = 16;

// How a handshake of TLS has ended; the label of crier_tls_handshakes_total.
enum class TlsHandshake : uint8_t { kFull, kResumed, kFailed };
inline constexpr size_t kTlsHandshakeCount = 3;

// Why TLS with a client has failed; the label of crier_tls_failures_total.
enum class TlsFault : uint8_t {
  kNotTls,       // what came is something else
  kVersion,      // no version that both speak
  kCipher,       // no cipher or group that both have
  kCertificate,  // the client's certificate is missing or wrong
  kRefused,      // the client has refused the server's certificate, or something else of it
  kFlood,        // it makes the server work, and sends nothing
  kOther,
};
inline constexpr size_t kTlsFaultCount = static_cast<size_t>(TlsFault::kOther) + 1;

// How a resume point was answered; the label of crier_resumes_total.
enum class ResumeKind : uint8_t { kComplete, kGap, kNewEpoch };
inline constexpr size_t kResumeCount = 3;

// Why a connection was refused; the label of crier_connections_refused_total.
enum class RefusalKind : uint8_t {
  kTotal,           // the limit on connections is reached
  kPerAddress,      // the limit for this address is reached
  kDescriptors,     // no descriptor left
  kRate,            // too many in a second
  kRatePerAddress,  // too many in a second from this address
};
inline constexpr size_t kRefusalCount = static_cast<size_t>(RefusalKind::kRatePerAddress) + 1;

// Which limit of the gRPC transport a client went over; the label of crier_grpc_violations_total.
enum class GrpcViolation : uint8_t {
  kMemory,         // a connection keeps more than it may
  kControlQueue,   // answers such as RST_STREAM that the client makes and does not read
  kControlFlood,   // the same of PING and SETTINGS
  kContinuations,  // a header block in too many frames
  kHeaderList,     // too much metadata
  kResets,         // calls cancelled too fast
  kPings,          // pings too often
  kUnread,         // an answer that was not taken in time
  kFlowControl,    // more bytes than its windows allow
};
inline constexpr size_t kGrpcViolationCount = static_cast<size_t>(GrpcViolation::kFlowControl) + 1;

// The methods that the metrics of calls tell apart, gRPC's own names of them and those by HTTP.
enum class GrpcMethod : uint8_t {
  kConnect,
  kSubscribe,
  kPublish,
  kHistory,
  kGetServerInfo,  // from here on to kWatchEvents: crier.v1.Admin
  kListSessions,
  kGetSession,
  kListTopics,
  kGetTopic,
  kDisconnect,
  kAdminPublish,
  kDrain,
  kSetLogLevel,
  kWatchStats,
  kWatchEvents,
  kHealthCheck,
  kHealthWatch,
  kReflection,
  kReflectionAlpha,
  kUnknown,  // every other, so that clients cannot make series
};
inline constexpr size_t kGrpcMethodCount = static_cast<size_t>(GrpcMethod::kUnknown) + 1;
inline constexpr size_t kGrpcCodeCount = 17;  // grpc::StatusCode: OK to UNAUTHENTICATED

// Of this service and method, e.g. "/crier.v1.Messaging/Publish". Thread-safe.
GrpcMethod GrpcMethodOf(std::string_view path);

// Connections of both transports, whether they are sessions yet or not. Written under the lock of
// the ConnectionTable.
struct ConnectionMetrics {
  Gauge open;
  Gauge limit;
  std::array<Counter, kRefusalCount> refused;
  Counter calls_refused;  // for their rate
};

// One shard's instruments. Written on the shard's thread only.
struct ShardMetrics {
  struct PerTransport {
    Gauge sessions;
    Gauge sessions_lagging;
    std::array<Counter, kOutcomeCount> ended;
    std::array<Counter, kOutcomeCount> refused;  // frames; the session goes on
    std::array<Counter, kActionCount> received;
    Counter handshakes_timed_out;  // before they were sessions, or connections of gRPC
    Counter events_delivered;
    Counter bytes_sent;
    Counter writes;
    Histogram delivery_seconds;
  };

  // The names that gRPC's dashboards use: grpc_server_handled_total, ...
  struct PerGrpcMethod {
    std::array<Counter, kGrpcCodeCount> handled;
    Histogram handling_seconds;
  };

  std::array<PerTransport, kTransportCount> transports;
  PerTransport& of(TransportKind kind) { return transports[static_cast<size_t>(kind)]; }
  const PerTransport& of(TransportKind kind) const { return transports[static_cast<size_t>(kind)]; }

  // The study's own names: ws_connections, all_ws_connections_total, ...
  Gauge ws_connections;
  Counter ws_connections_accepted;
  Counter http_heads_too_long;
  Counter ws_closed_errors;
  Histogram ws_broadcast_seconds;
  Histogram ws_handling_seconds;

  std::array<Counter, kSkipCount> events_skipped;
  std::array<Counter, kResumeCount> resumes;
  Gauge topics;                                // with this shard as their home
  std::array<Gauge, kMemoryKindCount> memory;  // in bytes
  Counter handler_exceptions;
  std::array<Counter, kTlsHandshakeCount> tls_handshakes;
  std::array<Counter, kTlsFaultCount> tls_failures;
  std::array<Counter, kTokenFaultCount> authentications_refused;
  void CountRefused(TokenFault fault) { authentications_refused[static_cast<size_t>(fault)].Add(); }
  std::array<Counter, kGrpcViolationCount> grpc_violations;
  std::array<PerGrpcMethod, kGrpcMethodCount> grpc_methods;
  // Of a cluster (server/cluster): the connections that stand, by the server's number.
  std::array<Gauge, kMostClusterServers> cluster_connections;
  Histogram cluster_call_seconds;
  Histogram cluster_lag_seconds;
  Counter cluster_holes;
  Counter cluster_epochs_renewed;
  // Calls by HTTP, by the code of their status.
  std::array<std::array<Counter, kGrpcCodeCount>, kGrpcMethodCount> http_calls;
};

// Owns the instruments of all shards and shows them to Prometheus.
class Metrics final : public prometheus::Collectable {
 public:
  explicit Metrics(size_t shards);

  // The reference lives as long as this object.
  ShardMetrics& shard(size_t index) { return *shards_[index]; }
  ConnectionMetrics& connections() { return connections_; }

  // What the servers of the cluster are called, in their order; none: there is no cluster. Before
  // threads start.
  void SetClusterServers(std::vector<std::string> names) { cluster_servers_ = std::move(names); }
  // Every shard has both its connections to every server. Thread-safe.
  bool IsClusterConnected() const;

  // Thread-safe.
  std::vector<prometheus::MetricFamily> Collect() const override;

  // The same in Prometheus's text format. Thread-safe.
  std::string Text() const;

 private:
  std::vector<std::unique_ptr<ShardMetrics>> shards_;
  ConnectionMetrics connections_;
  std::vector<std::string> cluster_servers_;
};

}  // namespace crier

#endif  // CRIER_SERVER_METRICS_METRICS_H_
