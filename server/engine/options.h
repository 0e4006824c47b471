// The engine's limits, with their defaults (docs/protocol.md, "Limits and defaults").
#ifndef CRIER_SERVER_ENGINE_OPTIONS_H_
#define CRIER_SERVER_ENGINE_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "crier/v1/message.pb.h"
#include "server/base/slot.h"

namespace crier {

class Authenticator;

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
  // All that clients can make the process keep, in bytes (memory_budget.h).
  size_t memory_budget = 256u << 20;
  size_t max_topics = 1'000'000;
  // A mailbox has no age: it ends with its session.
  LogLimits mailbox{.bytes = 256 << 10, .events = 100'000, .age = std::chrono::hours(24 * 365)};

  // SKIP or CLOSE.
  v1::SlowConsumerPolicy slow_consumer_policy = v1::SKIP;

  size_t max_body_bytes = 64 << 10;
  size_t max_topic_bytes = 255;
  size_t max_id_bytes = 64;
  size_t max_topics_per_session = 128;
  // Frames per second that one session may send, pings included; 0: no limit. A burst of one second
  // is allowed.
  uint32_t max_messages_per_second = 0;
  // Bytes of messages per second that one session may send; 0: no limit. A burst of one second is
  // allowed, and its last message may go over it.
  size_t max_bytes_per_second = 0;
  // Sessions of one user, on all shards and both transports; 0: no limit.
  uint32_t max_sessions_per_user = 0;
  // A session is closed at so many refused frames within error_window.
  uint32_t max_errors = 100;
  std::chrono::milliseconds error_window = std::chrono::seconds(10);

  // How long the first result of an id is remembered, and how many of them in all; the oldest is
  // forgotten first.
  std::chrono::milliseconds remembered_for = std::chrono::minutes(5);
  size_t remembered_ids = 1'000'000;

  // How long a client has for its first frame before it gets the empty topic's events all the same.
  std::chrono::milliseconds hello_timeout = std::chrono::seconds(10);

  // What a busy shard's round of broadcasts waits at most, so that its writes carry more
  // (round_pace.h); zero: rounds never wait.
  std::chrono::milliseconds gather_time{5};

  // Says who clients are and what they may do. Outlives the engine. Null: authentication is off;
  // clients say themselves who they are, and all may do everything. Tokens are not looked at then.
  const Authenticator* authenticator = nullptr;
  // How long a client without a token has to send one.
  std::chrono::milliseconds token_timeout = std::chrono::seconds(10);

  // Reconnect slots are spread over so long.
  std::chrono::milliseconds reconnect_spread = kReconnectSpread;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_OPTIONS_H_
