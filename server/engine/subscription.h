// A session's cursor into a topic.
#ifndef CRIER_SERVER_ENGINE_SUBSCRIPTION_H_
#define CRIER_SERVER_ENGINE_SUBSCRIPTION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "crier/v1/message.pb.h"

namespace crier {

class Feed;
class Session;

// Owned by its session; known to its feed as a follower.
struct Subscription {
  // What is to happen once the feed can be read.
  struct Pending {
    std::optional<v1::ResumePoint> resume;
    std::string ack_id;           // empty: no ack
    bool asked_for_more = false;  // the home shard was asked to reach further back
  };

  Session* session = nullptr;
  Feed* feed = nullptr;
  v1::SlowConsumerPolicy policy = v1::SKIP;

  uint64_t start = 0;  // the last offset before the first one owed
  uint64_t next = 1;   // the next offset to send
  uint64_t delivered = 0;
  uint64_t skipped = 0;

  std::unique_ptr<Pending> pending;  // set until the cursor has its start
  bool held = false;                 // not sent for now: a hello may yet move the cursor
  bool ready = false;                // in the session's list of those that have something to send

  // --- The feed's.
  uint32_t follower_index = 0;  // in Feed::followers
  uint64_t waited_from = 0;     // the oldest pass that waits for this one; 0: none
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SUBSCRIPTION_H_
