#include "server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/metric_family.h>

#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace crier {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class MetricsTest : public ::testing::Test {
 protected:
  MetricFamily FamilyOf(const std::string& name) const {
    for (MetricFamily& family : metrics_.Collect()) {
      if (family.name == name) return family;
    }
    ADD_FAILURE() << "no metric " << name;
    return {};
  }

  // The metric of a family that has exactly these labels.
  ClientMetric MetricOf(const std::string& name, const std::map<std::string, std::string>& labels) {
    for (const ClientMetric& metric : FamilyOf(name).metric) {
      std::map<std::string, std::string> found;
      for (const auto& label : metric.label) found[label.name] = label.value;
      if (found == labels) return metric;
    }
    ADD_FAILURE() << "no such labels in " << name;
    return {};
  }

  std::vector<std::string> ValuesOf(const std::string& name, const std::string& label) const {
    std::vector<std::string> values;
    for (const ClientMetric& metric : FamilyOf(name).metric) {
      for (const auto& found : metric.label) {
        if (found.name == label) values.push_back(found.value);
      }
    }
    return values;
  }

  Metrics metrics_{2};
};

TEST_F(MetricsTest, EveryMetricOfTheProtocolIsThereWithItsTypeAndAHelpText) {
  const std::map<std::string, MetricType> expected = {
      {"ws_connections", MetricType::Gauge},
      {"all_ws_connections_total", MetricType::Counter},
      {"ws_conn_closed_errors_total", MetricType::Counter},
      {"ws_broadcast_duration_seconds", MetricType::Histogram},
      {"ws_message_handling_duration_seconds", MetricType::Histogram},
      {"crier_sessions", MetricType::Gauge},
      {"crier_sessions_lagging", MetricType::Gauge},
      {"crier_sessions_ended_total", MetricType::Counter},
      {"crier_refusals_total", MetricType::Counter},
      {"crier_messages_received_total", MetricType::Counter},
      {"crier_events_delivered_total", MetricType::Counter},
      {"crier_events_skipped_total", MetricType::Counter},
      {"crier_delivery_seconds", MetricType::Histogram},
      {"crier_bytes_sent_total", MetricType::Counter},
      {"crier_writes_total", MetricType::Counter},
      {"crier_topics", MetricType::Gauge},
      {"crier_log_bytes", MetricType::Gauge},
      {"crier_memory_bytes", MetricType::Gauge},
      {"crier_resumes_total", MetricType::Counter},
      {"crier_handler_exceptions_total", MetricType::Counter},
      {"crier_tls_handshakes_total", MetricType::Counter},
      {"crier_tls_failures_total", MetricType::Counter},
      {"crier_authentications_refused_total", MetricType::Counter},
      {"crier_handshakes_timed_out_total", MetricType::Counter},
      {"crier_http_heads_too_long_total", MetricType::Counter},
      {"crier_grpc_violations_total", MetricType::Counter},
      {"grpc_server_handled_total", MetricType::Counter},
      {"crier_http_calls_total", MetricType::Counter},
      {"grpc_server_handling_seconds", MetricType::Histogram},
      {"crier_connections", MetricType::Gauge},
      {"crier_connections_limit", MetricType::Gauge},
      {"crier_connections_refused_total", MetricType::Counter},
      {"crier_calls_refused_total", MetricType::Counter},
      {"process_cpu_seconds_total", MetricType::Counter},
      {"process_resident_memory_bytes", MetricType::Gauge},
      {"process_virtual_memory_bytes", MetricType::Gauge},
      {"process_open_fds", MetricType::Gauge},
      {"process_max_fds", MetricType::Gauge},
      {"process_start_time_seconds", MetricType::Gauge},
  };
  std::map<std::string, MetricType> found;
  for (const MetricFamily& family : metrics_.Collect()) {
    EXPECT_TRUE(found.emplace(family.name, family.type).second) << family.name << " is there twice";
    EXPECT_THAT(family.help, Not(IsEmpty())) << family.name;
    EXPECT_THAT(family.metric, Not(IsEmpty())) << family.name;
  }
  EXPECT_EQ(found, expected);
}

TEST_F(MetricsTest, TheBroadcastHistogramSaysWhomItWaitsFor) {
  EXPECT_THAT(
      FamilyOf("ws_broadcast_duration_seconds").help,
      HasSubstr("A session for which the kernel takes no bytes is lagging from then on and is "
                "waited for no longer"));
}

TEST_F(MetricsTest, ShardsAddUp) {
  metrics_.shard(0).ws_connections.Add(3);
  metrics_.shard(1).ws_connections.Add(4);
  metrics_.shard(1).ws_connections.Add(-1);
  metrics_.shard(0).of(TransportKind::kGrpc).events_delivered.Add(10);
  metrics_.shard(1).of(TransportKind::kGrpc).events_delivered.Add(5);
  metrics_.shard(1).of(TransportKind::kWebSocket).events_delivered.Add(1);
  metrics_.shard(0)
      .of(TransportKind::kGrpc)
      .ended[static_cast<size_t>(Outcome::kSlowConsumer)]
      .Add();
  metrics_.shard(0)
      .of(TransportKind::kWebSocket)
      .refused[static_cast<size_t>(Outcome::kNoRecipient)]
      .Add(2);
  metrics_.shard(1).events_skipped[static_cast<size_t>(SkipKind::kExpired)].Add(7);

  EXPECT_EQ(MetricOf("ws_connections", {}).gauge.value, 6);
  EXPECT_EQ(MetricOf("crier_events_delivered_total", {{"transport", "grpc"}}).counter.value, 15);
  EXPECT_EQ(MetricOf("crier_events_delivered_total", {{"transport", "websocket"}}).counter.value,
            1);
  EXPECT_EQ(
      MetricOf("crier_sessions_ended_total", {{"transport", "grpc"}, {"outcome", "slow_consumer"}})
          .counter.value,
      1);
  EXPECT_EQ(
      MetricOf("crier_refusals_total", {{"transport", "websocket"}, {"outcome", "no_recipient"}})
          .counter.value,
      2);
  EXPECT_EQ(MetricOf("crier_events_skipped_total", {{"reason", "expired"}}).counter.value, 7);
}

TEST_F(MetricsTest, CallsAreCountedAsGrpcsDashboardsExpect) {
  const std::map<std::string, std::string> publish = {
      {"grpc_type", "unary"}, {"grpc_service", "crier.v1.Messaging"}, {"grpc_method", "Publish"}};
  auto refused = publish;
  refused["grpc_code"] = "ResourceExhausted";
  EXPECT_EQ(GrpcMethodOf("/crier.v1.Messaging/Publish"), GrpcMethod::kPublish);
  auto& counted = metrics_.shard(1).grpc_methods[static_cast<size_t>(GrpcMethod::kPublish)];
  counted.handled[8].Add(3);
  counted.handling_seconds.Observe(0.2);
  EXPECT_EQ(MetricOf("grpc_server_handled_total", refused).counter.value, 3);
  EXPECT_EQ(MetricOf("grpc_server_handling_seconds", publish).histogram.sample_count, 1u);
  // Nothing of what a client writes becomes a label.
  for (const char* path : {"", "/", "/crier.v1.Messaging/Publish2", "/crier.v1.Messaging.Publish",
                           "crier.v1.Messaging/Publish", "/x/Publish"}) {
    EXPECT_EQ(GrpcMethodOf(path), GrpcMethod::kUnknown) << path;
  }
}

TEST_F(MetricsTest, CallsByHttpAreCountedByMethodAndCode) {
  EXPECT_EQ(GrpcMethodOf("/crier.v1.Admin/Publish"), GrpcMethod::kAdminPublish);
  EXPECT_EQ(GrpcMethodOf("/crier.v1.Admin/WatchEvents"), GrpcMethod::kWatchEvents);
  metrics_.shard(0).http_calls[static_cast<size_t>(GrpcMethod::kAdminPublish)][5].Add(2);
  metrics_.shard(1).http_calls[static_cast<size_t>(GrpcMethod::kAdminPublish)][5].Add(1);
  metrics_.shard(1).http_calls[static_cast<size_t>(GrpcMethod::kUnknown)][12].Add(4);
  const auto count = [this](const char* method, const char* code) {
    return MetricOf("crier_http_calls_total", {{"method", method}, {"code", code}}).counter.value;
  };
  EXPECT_EQ(count("crier.v1.Admin/Publish", "NotFound"), 3);
  EXPECT_EQ(count("crier.v1.Messaging/Publish", "OK"), 0) << "it is there before the first call";
  EXPECT_EQ(count("unknown", "Unimplemented"), 4);
  // Administrators' methods have no time before they were called: that is many series.
  const auto times = [this] { return FamilyOf("grpc_server_handling_seconds").metric.size(); };
  const size_t before = times();
  metrics_.shard(0)
      .grpc_methods[static_cast<size_t>(GrpcMethod::kListTopics)]
      .handling_seconds.Observe(0.1);
  EXPECT_EQ(times(), before + 1);
}

TEST_F(MetricsTest, HistogramBucketsAreCumulativeAcrossShards) {
  metrics_.shard(0).ws_broadcast_seconds.Observe(0.00005);
  metrics_.shard(0).ws_broadcast_seconds.Observe(0.003, 2);
  metrics_.shard(1).ws_broadcast_seconds.Observe(0.003);
  metrics_.shard(1).ws_broadcast_seconds.Observe(60);

  const ClientMetric::Histogram histogram = MetricOf("ws_broadcast_duration_seconds", {}).histogram;
  std::vector<double> bounds;
  std::vector<uint64_t> counts;
  for (const auto& bucket : histogram.bucket) {
    bounds.push_back(bucket.upper_bound);
    counts.push_back(bucket.cumulative_count);
  }
  EXPECT_THAT(bounds, ElementsAre(0.0001, 0.0005, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1,
                                  0.25, 0.5, 1, 2, 5, std::numeric_limits<double>::infinity()));
  EXPECT_THAT(counts, ElementsAre(1, 1, 1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5));
  EXPECT_EQ(histogram.sample_count, 5u);
  EXPECT_NEAR(histogram.sample_sum, 60.00905, 1e-9);
}

TEST_F(MetricsTest, LabelsAreTheClosedSetsOfTheProtocol) {
  EXPECT_THAT(ValuesOf("crier_sessions", "transport"), ElementsAre("websocket", "grpc"));
  EXPECT_THAT(ValuesOf("crier_events_skipped_total", "reason"),
              ElementsAre("slow_consumer", "expired", "new_epoch", "unencodable"));
  EXPECT_THAT(ValuesOf("crier_memory_bytes", "kind"),
              ElementsAre("logs", "topics", "ids", "mailboxes", "sessions", "mail", "input",
                          "output", "http2", "tls", "cluster"));
  EXPECT_THAT(ValuesOf("crier_tls_handshakes_total", "result"),
              ElementsAre("full", "resumed", "failed"));
  EXPECT_THAT(ValuesOf("crier_grpc_violations_total", "reason"),
              ElementsAre("memory", "control_queue", "control_flood", "continuations",
                          "header_list", "resets", "pings", "unread", "flow_control"));
  EXPECT_THAT(ValuesOf("crier_resumes_total", "result"),
              ElementsAre("complete", "gap", "new_epoch"));
  EXPECT_THAT(
      ValuesOf("crier_connections_refused_total", "reason"),
      UnorderedElementsAre("total", "per_address", "descriptors", "rate", "rate_per_address"));
  EXPECT_EQ(ValuesOf("crier_sessions_ended_total", "outcome").size(),
            kTransportCount * kOutcomeCount);
  EXPECT_EQ(ValuesOf("crier_refusals_total", "outcome").size(), kTransportCount * kOutcomeCount);
  EXPECT_EQ(ValuesOf("crier_messages_received_total", "action").size(),
            kTransportCount * kActionCount);
}

TEST_F(MetricsTest, TheProcessIsAlive) {
  EXPECT_GT(MetricOf("process_resident_memory_bytes", {}).gauge.value, 1e5);
  EXPECT_GT(MetricOf("process_virtual_memory_bytes", {}).gauge.value, 1e5);
  EXPECT_GE(MetricOf("process_open_fds", {}).gauge.value, 1);
  EXPECT_GE(MetricOf("process_max_fds", {}).gauge.value,
            MetricOf("process_open_fds", {}).gauge.value);
  EXPECT_GT(MetricOf("process_cpu_seconds_total", {}).counter.value, 0);
  // After this was written, and not after now.
  const double start = MetricOf("process_start_time_seconds", {}).gauge.value;
  EXPECT_GT(start, 1.7e9);
  EXPECT_LE(start, static_cast<double>(time(nullptr)) + 1);
}

// Each line is a comment (HELP, TYPE) or "name{labels} value".
TEST_F(MetricsTest, TheTextParses) {
  metrics_.shard(0).ws_broadcast_seconds.Observe(0.003);
  std::istringstream text(metrics_.Text());
  std::map<std::string, double> samples;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) continue;
    const size_t space = line.rfind(' ');
    ASSERT_NE(space, std::string::npos) << line;
    size_t parsed = 0;
    const std::string value = line.substr(space + 1);
    samples[line.substr(0, space)] = std::stod(value, &parsed);
    EXPECT_EQ(parsed, value.size()) << line;
  }
  EXPECT_EQ(samples["ws_broadcast_duration_seconds_bucket{le=\"0.0025\"}"], 0);
  EXPECT_EQ(samples["ws_broadcast_duration_seconds_bucket{le=\"0.005\"}"], 1);
  EXPECT_EQ(samples["ws_broadcast_duration_seconds_bucket{le=\"+Inf\"}"], 1);
  EXPECT_EQ(samples["ws_broadcast_duration_seconds_count"], 1);
  EXPECT_EQ(samples.count("crier_messages_received_total{transport=\"grpc\",action=\"hello\"}"),
            1u);
}

}  // namespace
}  // namespace crier
