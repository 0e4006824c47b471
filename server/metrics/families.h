// Families of metrics as Prometheus takes them. Private to this folder.
#ifndef CRIER_SERVER_METRICS_FAMILIES_H_
#define CRIER_SERVER_METRICS_FAMILIES_H_

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/metrics/metrics.h"

namespace crier {

prometheus::MetricFamily Family(std::string_view name, prometheus::MetricType type,
                                std::string_view help);

// One instrument, added to a metric that starts as all zero.
void AddTo(prometheus::ClientMetric* metric, const Counter& counter);
void AddTo(prometheus::ClientMetric* metric, const Gauge& gauge);
void AddTo(prometheus::ClientMetric* metric, const Histogram& histogram);

prometheus::ClientMetric& AddLabel(prometheus::ClientMetric& metric, std::string_view name,
                                   std::string_view value);

// What is counted outside of the table in metrics.cc.
void AppendConnections(const ConnectionMetrics& connections,
                       std::vector<prometheus::MetricFamily>* out);
// Nothing, where there are no servers.
void AppendCluster(const std::vector<std::string>& servers,
                   const std::vector<std::unique_ptr<ShardMetrics>>& shards,
                   std::vector<prometheus::MetricFamily>* out);
void AppendProcess(std::vector<prometheus::MetricFamily>* out);

}  // namespace crier

#endif  // CRIER_SERVER_METRICS_FAMILIES_H_
