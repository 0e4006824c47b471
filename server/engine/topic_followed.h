// What only a topic has that somebody follows. For Topic's own files.
#ifndef CRIER_SERVER_ENGINE_TOPIC_FOLLOWED_H_
#define CRIER_SERVER_ENGINE_TOPIC_FOLLOWED_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "server/engine/handed_tracker.h"
#include "server/engine/held_sessions.h"
#include "server/engine/presence_tracker.h"
#include "server/engine/topic.h"
#include "server/engine/topic_users.h"

namespace crier {

struct Topic::EncodedLog {
  const Encoding* encoding;
  EventLog log;
  std::vector<LogSlice> slices;  // older events than the log's, the newest slice last
};

struct Topic::Followed {
  explicit Followed(Histogram* seconds) : handed(seconds) {}

  std::vector<std::unique_ptr<EncodedLog>> logs;  // besides the canonical one
  std::vector<LogSlice> slices;                   // of the canonical encoding
  std::vector<TopicReader> readers;
  bool begun = true;  // false: where the log begins is not known yet (Topic::Begin)
  const std::shared_ptr<FollowerCount> follower_count = std::make_shared<FollowerCount>();
  HandedTracker handed;
  uint64_t untold = 0;  // events since the feeds were told last
  HeldSessions held;
  TopicUsers users;
  std::unique_ptr<PresenceTracker> presence;  // while somebody watches
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_TOPIC_FOLLOWED_H_
