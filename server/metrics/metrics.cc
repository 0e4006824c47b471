#include "server/metrics/metrics.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include <span>
#include <string_view>

#include "server/base/concat.h"
#include "server/metrics/families.h"

namespace crier {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Shards = std::vector<std::unique_ptr<ShardMetrics>>;
using PerTransport = ShardMetrics::PerTransport;

// In the order of the enums.
constexpr std::array<std::string_view, kTransportCount> kTransportLabels = {"websocket", "grpc"};
constexpr std::array<std::string_view, kActionCount> kActionLabels = {
    "direct",      "broadcast", "ping", "pong",  "subscribe",
    "unsubscribe", "presence",  "auth", "hello", "invalid"};
constexpr std::array<std::string_view, kSkipCount> kSkipLabels = {"slow_consumer", "expired",
                                                                  "new_epoch", "unencodable"};
constexpr std::array<std::string_view, kMemoryKindCount> kMemoryLabels = {
    "logs",  "topics", "ids",   "mailboxes", "sessions", "mail",
    "input", "output", "http2", "tls",       "cluster"};
constexpr std::array<std::string_view, kTlsHandshakeCount> kHandshakeLabels = {"full", "resumed",
                                                                               "failed"};
constexpr std::array<std::string_view, kTlsFaultCount> kTlsFaultLabels = {
    "not_tls", "version", "cipher", "certificate", "refused", "flood", "other"};
constexpr std::array<std::string_view, kTokenFaultCount> kTokenFaultLabels = {
    "missing",       "malformed", "algorithm", "signature",  "claims",  "expired",
    "not_yet_valid", "issuer",    "audience",  "other_user", "too_many"};
constexpr std::array<std::string_view, kResumeCount> kResumeLabels = {"complete", "gap",
                                                                      "new_epoch"};
constexpr std::array<std::string_view, kGrpcViolationCount> kViolationLabels = {
    "memory", "control_queue", "control_flood", "continuations", "header_list",
    "resets", "pings",         "unread",        "flow_control"};

struct MethodLabels {
  std::string_view type;
  std::string_view service;
  std::string_view method;
};
constexpr std::string_view kAdminService = "crier.v1.Admin";
constexpr std::array<MethodLabels, kGrpcMethodCount> kMethodLabels = {{
    {"bidi_stream", "crier.v1.Messaging", "Connect"},
    {"server_stream", "crier.v1.Messaging", "Subscribe"},
    {"unary", "crier.v1.Messaging", "Publish"},
    {"unary", "crier.v1.Messaging", "History"},
    {"unary", kAdminService, "GetServerInfo"},
    {"unary", kAdminService, "ListSessions"},
    {"unary", kAdminService, "GetSession"},
    {"unary", kAdminService, "ListTopics"},
    {"unary", kAdminService, "GetTopic"},
    {"unary", kAdminService, "Disconnect"},
    {"unary", kAdminService, "Publish"},
    {"unary", kAdminService, "Drain"},
    {"unary", kAdminService, "SetLogLevel"},
    {"server_stream", kAdminService, "WatchStats"},
    {"server_stream", kAdminService, "WatchEvents"},
    {"unary", "grpc.health.v1.Health", "Check"},
    {"server_stream", "grpc.health.v1.Health", "Watch"},
    {"bidi_stream", "grpc.reflection.v1.ServerReflection", "ServerReflectionInfo"},
    {"bidi_stream", "grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo"},
    {"unknown", "unknown", "unknown"},
}};
// As go-grpc-prometheus writes them.
constexpr std::array<std::string_view, kGrpcCodeCount> kCodeLabels = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

// --- How a family is filled: one function per kind of label set.

// One value, of all shards together.
template <auto member>
void Sum(const Shards& shards, MetricFamily* family) {
  ClientMetric& metric = family->metric.emplace_back();
  for (const auto& shard : shards) AddTo(&metric, (*shard).*member);
}

// One value per transport.
template <auto member>
void ByTransport(const Shards& shards, MetricFamily* family) {
  for (size_t t = 0; t < kTransportCount; ++t) {
    ClientMetric& metric =
        AddLabel(family->metric.emplace_back(), "transport", kTransportLabels[t]);
    for (const auto& shard : shards) AddTo(&metric, shard->transports[t].*member);
  }
}

// One value per transport and outcome.
template <auto member>
void ByOutcome(const Shards& shards, MetricFamily* family) {
  for (size_t t = 0; t < kTransportCount; ++t) {
    for (const OutcomeInfo& info : AllOutcomes()) {
      ClientMetric& metric =
          AddLabel(family->metric.emplace_back(), "transport", kTransportLabels[t]);
      AddLabel(metric, "outcome", info.label);
      for (const auto& shard : shards) {
        AddTo(&metric, (shard->transports[t].*member)[static_cast<size_t>(info.outcome)]);
      }
    }
  }
}

void ReceivedByAction(const Shards& shards, MetricFamily* family) {
  for (size_t t = 0; t < kTransportCount; ++t) {
    for (size_t a = 0; a < kActionCount; ++a) {
      ClientMetric& metric =
          AddLabel(family->metric.emplace_back(), "transport", kTransportLabels[t]);
      AddLabel(metric, "action", kActionLabels[a]);
      for (const auto& shard : shards) AddTo(&metric, shard->transports[t].received[a]);
    }
  }
}

// One value per entry of an array of the shard, under one label.
template <auto member, const auto& labels>
void ByLabel(std::string_view label, const Shards& shards, MetricFamily* family) {
  for (size_t i = 0; i < labels.size(); ++i) {
    ClientMetric& metric = AddLabel(family->metric.emplace_back(), label, labels[i]);
    for (const auto& shard : shards) AddTo(&metric, ((*shard).*member)[i]);
  }
}

void SkippedByReason(const Shards& shards, MetricFamily* family) {
  ByLabel<&ShardMetrics::events_skipped, kSkipLabels>("reason", shards, family);
}

void MemoryByKind(const Shards& shards, MetricFamily* family) {
  ByLabel<&ShardMetrics::memory, kMemoryLabels>("kind", shards, family);
}

void HandshakesByResult(const Shards& shards, MetricFamily* family) {
  ByLabel<&ShardMetrics::tls_handshakes, kHandshakeLabels>("result", shards, family);
}

void TlsFailuresByReason(const Shards& shards, MetricFamily* family) {
  ByLabel<&ShardMetrics::tls_failures, kTlsFaultLabels>("reason", shards, family);
}

void AuthenticationsRefusedByReason(const Shards& shards, MetricFamily* family) {
  ByLabel<&ShardMetrics::authentications_refused, kTokenFaultLabels>("reason", shards, family);
}

void LogMemory(const Shards& shards, MetricFamily* family) {
  ClientMetric& metric = family->metric.emplace_back();
  for (const auto& shard : shards) {
    AddTo(&metric, shard->memory[static_cast<size_t>(MemoryKind::kLogs)]);
  }
}

void ResumesByResult(const Shards& shards, MetricFamily* family) {
  ByLabel<&ShardMetrics::resumes, kResumeLabels>("result", shards, family);
}

void ViolationsByReason(const Shards& shards, MetricFamily* family) {
  ByLabel<&ShardMetrics::grpc_violations, kViolationLabels>("reason", shards, family);
}

ClientMetric& AddMethod(size_t method, MetricFamily* family) {
  const MethodLabels& labels = kMethodLabels[method];
  ClientMetric& metric = AddLabel(family->metric.emplace_back(), "grpc_type", labels.type);
  AddLabel(metric, "grpc_service", labels.service);
  return AddLabel(metric, "grpc_method", labels.method);
}

// A series per method and code that has occurred, and that of OK.
void HandledByMethod(const Shards& shards, MetricFamily* family) {
  for (size_t m = 0; m < kGrpcMethodCount; ++m) {
    for (size_t code = 0; code < kGrpcCodeCount; ++code) {
      ClientMetric sum;
      for (const auto& shard : shards) AddTo(&sum, shard->grpc_methods[m].handled[code]);
      if (code != 0 && sum.counter.value == 0) continue;
      ClientMetric& metric = AddMethod(m, family);
      AddLabel(metric, "grpc_code", kCodeLabels[code]).counter = sum.counter;
    }
  }
}

void HandlingByMethod(const Shards& shards, MetricFamily* family) {
  for (size_t m = 0; m < kGrpcMethodCount; ++m) {
    ClientMetric sum;
    for (const auto& shard : shards) AddTo(&sum, shard->grpc_methods[m].handling_seconds);
    // Many series for what most servers are seldom asked.
    if (kMethodLabels[m].service == kAdminService && sum.histogram.sample_count == 0) continue;
    AddMethod(m, family).histogram = std::move(sum.histogram);
  }
}

// A series per method and code that has occurred, and that of OK for each that HTTP serves.
void HttpCallsByMethod(const Shards& shards, MetricFamily* family) {
  for (size_t m = 0; m < kGrpcMethodCount; ++m) {
    const MethodLabels& labels = kMethodLabels[m];
    const bool served = labels.type == "unary" && labels.service.starts_with("crier.");
    for (size_t code = 0; code < kGrpcCodeCount; ++code) {
      ClientMetric sum;
      for (const auto& shard : shards) AddTo(&sum, shard->http_calls[m][code]);
      if (!(served && code == 0) && sum.counter.value == 0) continue;
      const bool known = m != static_cast<size_t>(GrpcMethod::kUnknown);
      ClientMetric& metric =
          AddLabel(family->metric.emplace_back(), "method",
                   known ? Concat({labels.service, "/", labels.method}) : "unknown");
      AddLabel(metric, "code", kCodeLabels[code]).counter = sum.counter;
    }
  }
}

// --- The table: every metric that shards count.

struct Row {
  std::string_view name;
  MetricType type;
  void (*fill)(const Shards&, MetricFamily*);
  std::string_view help;
};

constexpr Row kRows[] = {
    {"ws_connections", MetricType::Gauge, &Sum<&ShardMetrics::ws_connections>,
     "WebSocket connections that are open now."},
    {"all_ws_connections_total", MetricType::Counter, &Sum<&ShardMetrics::ws_connections_accepted>,
     "WebSocket connections accepted since the server started."},
    {"ws_conn_closed_errors_total", MetricType::Counter, &Sum<&ShardMetrics::ws_closed_errors>,
     "WebSocket connections that ended other than by a close frame of either side. A peer whose "
     "close frame was followed by a reset ended cleanly and is not counted."},
    {"ws_broadcast_duration_seconds", MetricType::Histogram,
     &Sum<&ShardMetrics::ws_broadcast_seconds>,
     "From a broadcast's receipt until every session that could take it had been handed it, on "
     "every shard and transport. A session for which the kernel takes no bytes is lagging from "
     "then on and is waited for no longer."},
    {"ws_message_handling_duration_seconds", MetricType::Histogram,
     &Sum<&ShardMetrics::ws_handling_seconds>,
     "From a WebSocket message's last byte read until it was handed to the engine, decoding "
     "included."},
    {"crier_sessions", MetricType::Gauge, &ByTransport<&PerTransport::sessions>,
     "Sessions that are open now."},
    {"crier_sessions_lagging", MetricType::Gauge, &ByTransport<&PerTransport::sessions_lagging>,
     "Sessions for which the kernel, or the peer's flow control, takes no bytes now."},
    {"crier_sessions_ended_total", MetricType::Counter, &ByOutcome<&PerTransport::ended>,
     "Sessions that ended, by why."},
    {"crier_refusals_total", MetricType::Counter, &ByOutcome<&PerTransport::refused>,
     "Error events sent to sessions, by why: each refuses one frame. The session goes on unless "
     "there were too many."},
    {"crier_messages_received_total", MetricType::Counter, &ReceivedByAction,
     "Frames received from clients, by what they asked for; invalid: refused before that was "
     "known."},
    {"crier_handshakes_timed_out_total", MetricType::Counter,
     &ByTransport<&PerTransport::handshakes_timed_out>,
     "Connections closed because no whole request, or no beginning of HTTP/2, came in time."},
    {"crier_http_heads_too_long_total", MetricType::Counter,
     &Sum<&ShardMetrics::http_heads_too_long>,
     "Requests on the WebSocket's port that were refused because of a header over its limit. That "
     "of gRPC is crier_grpc_violations_total with the reason header_list."},
    {"crier_events_delivered_total", MetricType::Counter,
     &ByTransport<&PerTransport::events_delivered>,
     "Events handed to sessions: one broadcast to a hundred sessions is a hundred."},
    {"crier_events_skipped_total", MetricType::Counter, &SkippedByReason,
     "Events that sessions were told they will not get, by why."},
    {"crier_delivery_seconds", MetricType::Histogram, &ByTransport<&PerTransport::delivery_seconds>,
     "From a message's receipt until it was handed to the kernel, per delivery, sampled."},
    {"crier_bytes_sent_total", MetricType::Counter, &ByTransport<&PerTransport::bytes_sent>,
     "Bytes of events handed to the kernel, or to gRPC."},
    {"crier_writes_total", MetricType::Counter, &ByTransport<&PerTransport::writes>,
     "Writes to the kernel, or to gRPC: delivered events over writes is the batching."},
    {"crier_topics", MetricType::Gauge, &Sum<&ShardMetrics::topics>, "Topics that exist now."},
    {"crier_log_bytes", MetricType::Gauge, &LogMemory, "Memory of all topics' logs, in bytes."},
    {"crier_memory_bytes", MetricType::Gauge, &MemoryByKind,
     "Memory that clients make the process keep, by what for. The sum has a limit: "
     "--memory_budget."},
    {"crier_resumes_total", MetricType::Counter, &ResumesByResult,
     "Resume points answered: complete, with a gap, or of an epoch that is over."},
    {"crier_handler_exceptions_total", MetricType::Counter, &Sum<&ShardMetrics::handler_exceptions>,
     "Exceptions that came out of a handler and ended what they belonged to: a fault of the "
     "server, "
     "or want of memory."},
    {"crier_tls_handshakes_total", MetricType::Counter, &HandshakesByResult,
     "Handshakes of TLS, by how they ended. One that the client just left is not counted."},
    {"crier_tls_failures_total", MetricType::Counter, &TlsFailuresByReason,
     "Connections whose TLS has failed, in the handshake or later, by why."},
    {"crier_authentications_refused_total", MetricType::Counter, &AuthenticationsRefusedByReason,
     "Requests, calls and sessions that were refused because of their token, by what was wrong "
     "with it."},
    {"crier_grpc_violations_total", MetricType::Counter, &ViolationsByReason,
     "gRPC connections or calls that were ended because the client went over a limit, by which."},
    {"grpc_server_handled_total", MetricType::Counter, &HandledByMethod,
     "gRPC calls that have ended, by method and status."},
    {"grpc_server_handling_seconds", MetricType::Histogram, &HandlingByMethod,
     "From a gRPC call's head until its end, in seconds. A stream's is its whole life."},
    {"crier_http_calls_total", MetricType::Counter, &HttpCallsByMethod,
     "Calls by HTTP that were answered, by method and by the code of their status. unknown: a "
     "method that there is not."},
};

}  // namespace

GrpcMethod GrpcMethodOf(std::string_view path) {
  for (size_t m = 0; m < static_cast<size_t>(GrpcMethod::kUnknown); ++m) {
    const MethodLabels& labels = kMethodLabels[m];
    const size_t service = labels.service.size();
    if (path.size() == service + labels.method.size() + 2 && path[0] == '/' &&
        path[service + 1] == '/' && path.substr(1, service) == labels.service &&
        path.ends_with(labels.method)) {
      return static_cast<GrpcMethod>(m);
    }
  }
  return GrpcMethod::kUnknown;
}

Metrics::Metrics(size_t shards) {
  for (size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<ShardMetrics>());
}

bool Metrics::IsClusterConnected() const {
  for (const auto& shard : shards_) {
    for (size_t i = 0; i < cluster_servers_.size(); ++i) {
      if (shard->cluster_connections[i].value() < 2) return false;
    }
  }
  return true;
}

std::vector<MetricFamily> Metrics::Collect() const {
  std::vector<MetricFamily> families;
  for (const Row& row : kRows) {
    row.fill(shards_, &families.emplace_back(Family(row.name, row.type, row.help)));
  }
  AppendConnections(connections_, &families);
  AppendCluster(cluster_servers_, shards_, &families);
  AppendProcess(&families);
  return families;
}

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(Collect()); }

}  // namespace crier
