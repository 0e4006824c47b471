// The names that a cluster's keys and channels have in Redis. docs/cluster.md lists them for
// people who look after that Redis.
#ifndef CRIER_SERVER_CLUSTER_CLUSTER_KEYS_H_
#define CRIER_SERVER_CLUSTER_CLUSTER_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/cluster/redis_address.h"
#include "server/engine/bus.h"

namespace crier {

// Immutable, so thread-safe. All nodes of a cluster have to have the same URL.
class ClusterKeys {
 public:
  explicit ClusterKeys(const ClusterUrl& url);

  // A hash: process (which one Redis is), begun (the number of its life), last (the highest epoch
  // that was given out).
  std::string LifeKey() const;
  // A topic's place (cluster_scripts.h): a string.
  std::string TopicKey(std::string_view topic) const;
  // The events that are kept: a list, the newest last.
  std::string EventsKey(std::string_view topic) const;
  // What became of the first publish with this id: a string that expires. `node`: of a publisher
  // that only one node knows; else empty.
  std::string IdKey(const Publication& publication, std::string_view node) const;
  std::string TopicChannel(std::string_view topic) const;
  std::string UserChannel(std::string_view user) const;

  // What all nodes hear, and what one shard of one node does ("NODE:SHARD").
  std::string NodesChannel() const;
  std::string NodeChannel(std::string_view name) const;

  // What a channel is for. A view into `channel`, which has to be one of the above.
  enum class Kind : uint8_t { kTopic, kUser, kNodes, kNode };
  struct Target {
    Kind kind;
    std::string_view name;
  };
  Target TargetOf(std::string_view channel) const;

  // Which of the URL's servers a topic, or a user, is on (rendezvous hashing: Thaler and
  // Ravishankar, 1998): where a server is added or taken away, only what is on it moves.
  size_t ServerOf(std::string_view name) const;

 private:
  std::string Key(std::string_view kind, std::string_view name) const;

  const std::string prefix_;
  std::vector<std::string> servers_;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_CLUSTER_KEYS_H_
