// The engine's limits, with their defaults (docs/protocol.md, "Limits and defaults").
#ifndef CRIER_SERVER_ENGINE_OPTIONS_H_
#define CRIER_SERVER_ENGINE_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "crier/v1/message.pb.h"

namespace crier {

// Bounds of a log; whichever is reached first moves its tail.
struct LogLimits {
  size_t bytes = 1 << 20;
  size_t events = 10'000;
  std::chrono::milliseconds age = std::chrono::minutes(5);
};

struct EngineOptions {
  size_t shards = 1;
  // What welcomes and broadcasts without data say.
  std::string server_name = "crier/" CRIER_VERSION;

  LogLimits topic_log;
  // Of all topics' logs together; the largest gives way first.
  size_t total_log_bytes = 256u << 20;
  // A mailbox has no age: it ends with its session.
  LogLimits mailbox{.bytes = 256 << 10, .events = 100'000, .age = std::chrono::hours(24 * 365)};

  // SKIP or CLOSE.
  v1::SlowConsumerPolicy slow_consumer_policy = v1::SKIP;

  size_t max_body_bytes = 64 << 10;
  size_t max_topic_bytes = 255;
  size_t max_id_bytes = 64;
  size_t max_topics_per_session = 128;
  // Messages per second that one session may send; 0: no limit. A burst of one second is allowed.
  uint32_t max_messages_per_second = 0;
  // A session is closed at so many refused frames within error_window.
  uint32_t max_errors = 100;
  std::chrono::milliseconds error_window = std::chrono::seconds(10);

  // How long the first ack of an id is remembered, and how many of them a topic remembers.
  std::chrono::milliseconds dedupe_window = std::chrono::minutes(5);
  size_t dedupe_entries = 100'000;

  // What a busy shard's round of broadcasts waits at most, so that its writes carry more
  // (round_pace.h); zero: rounds never wait.
  std::chrono::milliseconds gather_time{5};

  // Reconnect slots are spread over so long.
  std::chrono::milliseconds reconnect_spread = std::chrono::seconds(10);
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_OPTIONS_H_
