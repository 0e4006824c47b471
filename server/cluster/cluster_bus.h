// The bus of a node that shares its topics and users with others, through Redis
// (docs/decisions/0020-cluster.md).
#ifndef CRIER_SERVER_CLUSTER_CLUSTER_BUS_H_
#define CRIER_SERVER_CLUSTER_CLUSTER_BUS_H_

#include <memory>
#include <string>
#include <vector>

#include "server/cluster/cluster_keys.h"
#include "server/cluster/cluster_options.h"
#include "server/cluster/cluster_scripts.h"
#include "server/cluster/cluster_shard.h"
#include "server/engine/bus.h"
#include "server/engine/local_bus.h"

namespace crier {

class Engine;

class ClusterBus final : public SharedBus {
 public:
  // `engine` outlives the bus.
  ClusterBus(Engine* engine, ClusterOptions options);
  ~ClusterBus() override;

  void Start(Shard& shard) override;
  // Far from that of other nodes, so that an id names one session in the cluster.
  uint64_t first_session_id() const override;
  void Publish(Shard& from, Publication publication) override;
  void Follow(Shard& home, const std::string& topic) override;
  void Unfollow(Shard& home, const std::string& topic) override;
  void ReadPast(Shard& home, const std::string& topic, uint64_t from, PastLimits limits,
                PastDone done) override;
  bool IsBeforeAll(Shard& shard, std::string_view topic, uint64_t epoch) override;
  void SetUser(Shard& home, const std::string& user, bool here) override;
  void AwaitUser(Shard& home, const std::string& user, absl::AnyInvocable<void()> done) override;
  void AskPresence(Shard& home, const std::string& topic, PresenceDone done) override;
  void WatchPresence(Shard& home, const std::string& topic) override;
  void UnwatchPresence(Shard& home, const std::string& topic) override;
  void FollowerChanged(Shard& home, const std::string& topic, const std::string& user,
                       bool here) override;
  void Leave() override;
  void Stop() override;

  // The machine's name, and digits that are random, so that no other node has the same.
  const std::string& node() const override { return node_; }
  void SetAnswerer(NodeAnswerer answerer) override;
  void AskNodes(Shard& shard, const std::string& node, std::string question,
                NodesDone done) override;

 private:
  // Null: stopped.
  ClusterShard* Of(Shard& shard);

  Engine* const engine_;
  const ClusterOptions options_;
  const ClusterKeys keys_;
  const ClusterScripts scripts_;
  const std::string node_;
  LocalBus local_;
  NodeAnswerer answerer_;  // read by shard 0's thread only
  bool stopped_ = false;
  std::vector<std::unique_ptr<ClusterShard>> shards_;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_CLUSTER_BUS_H_
