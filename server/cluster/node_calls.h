// Questions that a node asks all others, through Redis's channels: who follows a topic there.
//
//   asker:  PUBLISH prefix:nodes        "NODE:SHARD NUMBER TOPIC"   -> how many nodes there are
//   node:   PUBLISH prefix:node:NODE:SHARD  "NUMBER ANSWER"
#ifndef CRIER_SERVER_CLUSTER_NODE_CALLS_H_
#define CRIER_SERVER_CLUSTER_NODE_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/base/clock.h"
#include "server/base/string_map.h"
#include "server/cluster/cluster_keys.h"
#include "server/cluster/topic_links.h"
#include "server/engine/bus.h"

namespace crier {

class Shard;

// Of one shard. Runs on: its thread, all of it.
class NodeCalls {
 public:
  // All outlive this object. `server`: the URL's first, which carries these. `node`: this one's
  // name. `on_memory` is told the change of the bytes that are kept.
  NodeCalls(Shard* shard, const ClusterKeys* keys, ClusterServer server, std::string_view node,
            std::function<void(int64_t bytes)> on_memory);

  // As SharedBus has it. Who asks while the same is asked already gets the same answer: so a crowd
  // that asks costs the other nodes no more than one.
  void AskPresence(const std::string& topic, PresenceDone done);

  // A message on a channel of nodes (ClusterKeys::NodesChannel, NodeChannel).
  void OnQuestion(std::string_view payload);
  void OnAnswer(std::string_view payload);

  // Every kTickInterval.
  void Tick(TimePoint now);

 private:
  struct Question {
    std::string topic;
    std::vector<PresenceDone> askers;
    std::vector<v1::Presence> answers;
    size_t missing = SIZE_MAX;  // how many are yet to come; SIZE_MAX: it is not known yet
    TimePoint until;
    int64_t bytes = 0;  // of it all
  };

  void Finish(uint64_t number);
  void Count(Question* question, size_t bytes);
  void Answer(const std::string& asker, const std::string& number, const v1::Presence& presence);

  Shard& shard_;
  const ClusterKeys& keys_;
  const ClusterServer server_;
  const std::string node_;
  const std::string name_;  // of this shard: NODE:SHARD
  const std::function<void(int64_t bytes)> on_memory_;
  uint64_t last_number_ = 0;
  StringMap<uint64_t> asked_;  // the number of the question about a topic
  absl::flat_hash_map<uint64_t, Question> questions_;
  std::deque<uint64_t> by_age_;  // the oldest first; answered ones too
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_NODE_CALLS_H_
