#include "server/admin/stats.h"

#include <cstddef>
#include <cstdint>

#include "server/metrics/metrics.h"

namespace crier {
namespace {

struct Sums {
  // Of gauges. One shard's alone may be below zero for a moment.
  int64_t websocket = 0;
  int64_t grpc = 0;
  int64_t lagging = 0;
  int64_t topics = 0;
  int64_t memory = 0;
  uint64_t received = 0;
  uint64_t delivered = 0;
  uint64_t skipped = 0;
  uint64_t bytes = 0;
  uint64_t ended = 0;
};
void Add(const ShardMetrics& shard, Sums* sums) {
  sums->websocket += shard.of(TransportKind::kWebSocket).sessions.value();
  sums->grpc += shard.of(TransportKind::kGrpc).sessions.value();
  sums->topics += shard.topics.value();
  for (const Gauge& memory : shard.memory) sums->memory += memory.value();
  for (const Counter& skipped : shard.events_skipped) sums->skipped += skipped.value();
  for (const auto& transport : shard.transports) {
    sums->lagging += transport.sessions_lagging.value();
    sums->delivered += transport.events_delivered.value();
    sums->bytes += transport.bytes_sent.value();
    for (const Counter& received : transport.received) sums->received += received.value();
    for (const Counter& ended : transport.ended) sums->ended += ended.value();
  }
}

}  // namespace

void DescribeStats(const Engine& engine, v1::Stats* stats) {
  const int64_t wall = engine.clock().WallNanos();
  stats->mutable_at()->set_seconds(wall / 1'000'000'000);
  stats->mutable_at()->set_nanos(static_cast<int32_t>(wall % 1'000'000'000));
  Sums sums;
  for (size_t i = 0; i < engine.shard_count(); ++i) Add(engine.metrics().shard(i), &sums);
  stats->set_websocket_sessions(static_cast<uint64_t>(sums.websocket));
  stats->set_grpc_sessions(static_cast<uint64_t>(sums.grpc));
  stats->set_lagging_sessions(static_cast<uint64_t>(sums.lagging));
  stats->set_topics(static_cast<uint64_t>(sums.topics));
  stats->set_memory_bytes(static_cast<uint64_t>(sums.memory));
  stats->set_memory_budget(engine.options().memory_budget);
  stats->set_messages_received(sums.received);
  stats->set_events_delivered(sums.delivered);
  stats->set_events_skipped(sums.skipped);
  stats->set_bytes_sent(sums.bytes);
  stats->set_sessions_ended(sums.ended);
  const ConnectionMetrics& connections = engine.metrics().connections();
  stats->set_connections(static_cast<uint64_t>(connections.open.value()));
  uint64_t refused = 0;
  for (const Counter& counter : connections.refused) refused += counter.value();
  stats->set_connections_refused(refused);
}

}  // namespace crier
