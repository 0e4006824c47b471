#include "server/metrics/families.h"

#include <limits>
#include <optional>

#include "server/metrics/process_stats.h"

namespace crier {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::array<std::string_view, kRefusalCount> kRefusalLabels = {
    "total", "per_address", "descriptors", "rate", "rate_per_address"};

}  // namespace

MetricFamily Family(std::string_view name, MetricType type, std::string_view help) {
  MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

// --- What belongs to no shard.

void AddTo(ClientMetric* metric, const Counter& counter) {
  metric->counter.value += static_cast<double>(counter.value());
}

void AddTo(ClientMetric* metric, const Gauge& gauge) {
  metric->gauge.value += static_cast<double>(gauge.value());
}

void AddTo(ClientMetric* metric, const Histogram& histogram) {
  constexpr size_t kBuckets = Histogram::kBounds.size() + 1;
  ClientMetric::Histogram& sum = metric->histogram;
  if (sum.bucket.empty()) {
    sum.bucket.resize(kBuckets);
    for (size_t i = 0; i < kBuckets; ++i) {
      sum.bucket[i].upper_bound = i < Histogram::kBounds.size()
                                      ? Histogram::kBounds[i]
                                      : std::numeric_limits<double>::infinity();
    }
  }
  uint64_t cumulative = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    cumulative += histogram.bucket(i);
    sum.bucket[i].cumulative_count += cumulative;
  }
  sum.sample_count += cumulative;
  sum.sample_sum += histogram.sum();
}

ClientMetric& AddLabel(ClientMetric& metric, std::string_view name, std::string_view value) {
  ClientMetric::Label label;
  label.name = name;
  label.value = value;
  metric.label.push_back(std::move(label));
  return metric;
}

void AppendConnections(const ConnectionMetrics& connections, std::vector<MetricFamily>* out) {
  MetricFamily& open = out->emplace_back(
      Family("crier_connections", MetricType::Gauge,
             "Connections that are open now, on both ports, sessions or not yet."));
  AddTo(&open.metric.emplace_back(), connections.open);
  MetricFamily& limit =
      out->emplace_back(Family("crier_connections_limit", MetricType::Gauge,
                               "Connections that may be open at once, on both ports."));
  AddTo(&limit.metric.emplace_back(), connections.limit);
  MetricFamily& refused = out->emplace_back(
      Family("crier_connections_refused_total", MetricType::Counter,
             "Connections closed as soon as they were accepted: over the limit in all or of one "
             "address, too many in a second in all or from one address, or for want of "
             "descriptors."));
  for (size_t i = 0; i < kRefusalCount; ++i) {
    AddTo(&AddLabel(refused.metric.emplace_back(), "reason", kRefusalLabels[i]),
          connections.refused[i]);
  }
  MetricFamily& calls =
      out->emplace_back(Family("crier_calls_refused_total", MetricType::Counter,
                               "Calls refused because more came in a second from one address than "
                               "--max_calls_per_second_per_address says."));
  AddTo(&calls.metric.emplace_back(), connections.calls_refused);
}

void AppendCluster(const std::vector<std::string>& servers,
                   const std::vector<std::unique_ptr<ShardMetrics>>& shards,
                   std::vector<MetricFamily>* out) {
  if (servers.empty()) return;
  MetricFamily& connected = out->emplace_back(
      Family("crier_cluster_connected", MetricType::Gauge,
             "1 where every shard's connections to this server of the cluster stand, else 0."));
  // Each shard has one for calls and one for channels.
  const auto all = static_cast<double>(2 * shards.size());
  for (size_t i = 0; i < servers.size(); ++i) {
    ClientMetric& metric = AddLabel(connected.metric.emplace_back(), "server", servers[i]);
    for (const auto& shard : shards) AddTo(&metric, shard->cluster_connections[i]);
    metric.gauge.value = metric.gauge.value == all ? 1 : 0;
  }
  const auto sum = [&](std::string_view name, MetricType type, auto member, std::string_view help) {
    ClientMetric& metric = out->emplace_back(Family(name, type, help)).metric.emplace_back();
    for (const auto& shard : shards) AddTo(&metric, (*shard).*member);
  };
  sum("crier_cluster_call_seconds", MetricType::Histogram, &ShardMetrics::cluster_call_seconds,
      "From a publish's way to the cluster's server until its answer.");
  sum("crier_cluster_lag_seconds", MetricType::Histogram, &ShardMetrics::cluster_lag_seconds,
      "From a broadcast's receipt, on whichever node, until it was in this node's log; by the "
      "nodes' own clocks.");
  sum("crier_cluster_holes_total", MetricType::Counter, &ShardMetrics::cluster_holes,
      "Times that a topic's log on this node had missed events, which its followers then read "
      "from the cluster's server.");
  sum("crier_cluster_epochs_renewed_total", MetricType::Counter,
      &ShardMetrics::cluster_epochs_renewed,
      "Topics that are followed on this node and began a new epoch, because the cluster's server "
      "has lost events, or may have: followers were told NEW_EPOCH.");
}

// Names and meanings: prometheus.io, "Writing client libraries", "Process metrics".
void AppendProcess(std::vector<MetricFamily>* out) {
  const ProcessStats stats = ReadProcessStats();
  const auto append = [out](std::string_view name, MetricType type, std::optional<double> value,
                            std::string_view help) {
    if (!value.has_value()) return;
    ClientMetric& metric = out->emplace_back(Family(name, type, help)).metric.emplace_back();
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = *value;
  };
  append("process_cpu_seconds_total", MetricType::Counter, stats.cpu_seconds,
         "User and system CPU time spent, in seconds.");
  append("process_resident_memory_bytes", MetricType::Gauge, stats.resident_bytes,
         "Resident memory, in bytes.");
  append("process_virtual_memory_bytes", MetricType::Gauge, stats.virtual_bytes,
         "Virtual memory, in bytes.");
  append("process_open_fds", MetricType::Gauge, stats.open_descriptors,
         "File descriptors that are open now.");
  append("process_max_fds", MetricType::Gauge, stats.max_descriptors,
         "File descriptors that may be open at once.");
  append("process_start_time_seconds", MetricType::Gauge, stats.start_seconds,
         "When the process started, in seconds since 1970.");
}

}  // namespace crier
