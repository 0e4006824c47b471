// Questions that a node asks others: who follows a topic there, and what the node itself is asked
// (SharedBus::AskNodes).
#ifndef CRIER_SERVER_CLUSTER_NODE_CALLS_H_
#define CRIER_SERVER_CLUSTER_NODE_CALLS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "crier/cluster/node.pb.h"
#include "server/base/clock.h"
#include "server/base/string_map.h"
#include "server/cluster/node_talk.h"
#include "server/engine/bus.h"

namespace crier {

class Shard;

// Of one shard. Runs on: its thread, all of it.
class NodeCalls {
 public:
  // All outlive this object. `answerer`: who answers questions to the node; it may be empty, and is
  // looked at when one comes. `on_memory` is told the change of the bytes that are kept.
  NodeCalls(Shard* shard, NodeTalk* talk, const NodeAnswerer* answerer,
            std::function<void(int64_t bytes)> on_memory);

  // As SharedBus has it. Who asks while the same is asked already gets the same answer: so a crowd
  // that asks costs the other nodes no more than one.
  void AskPresence(const std::string& topic, PresenceDone done);
  // As SharedBus has it.
  void AskNodes(const std::string& node, std::string question, NodesDone done);

  void OnQuestion(const std::string& from, const cluster::Question& question);
  void OnAnswer(const std::string& from, cluster::Answer answer);

  // Every kTickInterval.
  void Tick(TimePoint now);

 private:
  struct Asked {
    std::string topic;  // of a question about presence
    std::vector<PresenceDone> askers;
    std::vector<v1::Presence> presences;
    NodesDone done;  // of another one
    NodeAnswers answers;
    size_t heard = 0;            // how many have answered
    std::optional<size_t> whom;  // how many were asked, once it is known
    TimePoint until;
    int64_t bytes = 0;  // of it all
  };

  // How many nodes were asked, as NodeTalk says it.
  NodeTalk::Heard WhomOf(uint64_t number);
  void SetEnd(uint64_t number, Asked* asked, std::chrono::milliseconds patience);
  void FinishIfAnswered(uint64_t number, const Asked& asked);
  void Finish(uint64_t number);
  void Count(Asked* asked, size_t bytes);
  void AnswerPresence(const std::string& asker, uint64_t number, const std::string& topic);

  Shard& shard_;
  NodeTalk& talk_;
  const NodeAnswerer& answerer_;
  const std::function<void(int64_t bytes)> on_memory_;
  uint64_t last_number_ = 0;
  StringMap<uint64_t> about_;  // the number of the question about a topic
  absl::flat_hash_map<uint64_t, Asked> asked_;
  std::set<std::pair<TimePoint, uint64_t>> ends_;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_NODE_CALLS_H_
