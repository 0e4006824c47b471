// Who follows a topic: a question that visits every shard in turn.
#ifndef CRIER_SERVER_ENGINE_PRESENCE_H_
#define CRIER_SERVER_ENGINE_PRESENCE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/flat_hash_set.h"

namespace crier {

// Handed from shard to shard; one at a time holds it.
struct PresenceQuestion {
  static constexpr size_t kMostUsers = 1000;

  std::string topic;
  std::string id;
  // Who asked.
  size_t shard = 0;
  uint64_t session = 0;

  size_t next_shard = 0;  // to visit
  uint64_t sessions = 0;
  absl::flat_hash_set<std::string> users;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_PRESENCE_H_
