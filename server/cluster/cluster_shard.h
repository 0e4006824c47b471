// One shard's part in the cluster: its connections to Redis, what it publishes there, and what
// comes from there to the topics and users that are at home here.
#ifndef CRIER_SERVER_CLUSTER_CLUSTER_SHARD_H_
#define CRIER_SERVER_CLUSTER_CLUSTER_SHARD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/string_map.h"
#include "server/cluster/cluster_keys.h"
#include "server/cluster/cluster_options.h"
#include "server/cluster/node_calls.h"
#include "server/cluster/node_talk.h"
#include "server/cluster/presence_report.h"
#include "server/cluster/presence_watch.h"
#include "server/cluster/redis_client.h"
#include "server/cluster/redis_subscriber.h"
#include "server/cluster/topic_links.h"
#include "server/engine/bus.h"
#include "server/engine/held_sessions.h"
#include "server/engine/memory_budget.h"

namespace crier {

class Shard;

// Runs on: the shard's thread, all of it; the destructor also where that has ended.
class ClusterShard {
 public:
  // Runs a task on the thread of another shard of this node, with that shard's part; or not, where
  // the bus has stopped.
  using Hand = std::function<void(size_t shard, absl::AnyInvocable<void(ClusterShard&)> task)>;

  // All of these outlive this object. `node`: what no other node of the cluster is called.
  // `answerer`: as for NodeCalls.
  ClusterShard(Shard* shard, const ClusterOptions* options, const ClusterKeys* keys,
               const ClusterScripts* scripts, std::string_view node, const NodeAnswerer* answerer,
               Hand hand);
  ~ClusterShard();
  ClusterShard(const ClusterShard&) = delete;
  ClusterShard& operator=(const ClusterShard&) = delete;

  // As Bus and SharedBus have them.
  void Publish(Publication publication);
  void Follow(const std::string& topic) { links_->Follow(topic); }
  void Unfollow(const std::string& topic) { links_->Unfollow(topic); }
  void ReadPast(const std::string& topic, uint64_t from, PastLimits limits, PastDone done);
  bool IsBeforeAll(std::string_view topic, uint64_t epoch) const {
    return servers_[keys_.ServerOf(topic)].life_number() == epoch;
  }
  void SetUser(const std::string& user, bool here);
  void AwaitUser(const std::string& user, absl::AnyInvocable<void()> done);
  void AskPresence(const std::string& topic, PresenceDone done) {
    calls_->AskPresence(topic, std::move(done));
  }
  void WatchPresence(const std::string& topic) { watch_->Watch(topic); }
  void UnwatchPresence(const std::string& topic) { watch_->Unwatch(topic); }
  void FollowerChanged(const std::string& topic, const std::string& user, bool here) {
    report_->FollowerChanged(topic, user, here);
  }
  // Tells all nodes that this one ends. `told` runs once Redis has it; or where it is away, at
  // once.
  void TellEnd(absl::AnyInvocable<void()> told);
  void AskNodes(const std::string& node, std::string question, NodesDone done) {
    calls_->AskNodes(node, std::move(question), std::move(done));
  }

 private:
  struct Connections {
    std::unique_ptr<RedisClient> client;
    std::unique_ptr<RedisSubscriber> subscriber;
    bool was_up = false;   // as the log says
    std::string last_why;  // that the log has said
    bool life_failed = false;
    bool was_lost = false;  // the connection for channels, since they came last
    int ups = 0;            // of its two connections
  };

  struct PastQuestion {
    std::string topic;
    uint64_t from;
    PastLimits limits;
    PastDone done;
  };

  // Questions for topics' pasts that are asked at once: each may be a megabyte for Redis to read,
  // and for this shard to keep. The others wait their turn.
  static constexpr size_t kMostReading = 4;
  // Of calls that wait for an answer, to one server. Beyond it, who publishes is not read from.
  static constexpr size_t kMostAhead = 1 << 20;
  void Connect(size_t index);
  // The connection for calls is there: asks for Redis's life, and again where it gives none.
  void AskForLife(size_t index);
  // One of the connections can be used, or no more.
  void OnConnection(size_t index, bool up, std::string_view why);
  void LogConnection(size_t index, bool up, std::string_view why);
  void OnMessage(std::string_view channel, std::string_view payload);
  // A message on a channel of nodes.
  void OnFrame(std::string_view payload);
  // Another node watches these topics, or no more: each is reported by the shard where it is at
  // home.
  void OnWatch(const std::string& from, const cluster::Watch& watch);
  // Channels of this server come again, or for the first time.
  void OnRestored(size_t index);
  void OnDirect(std::string_view user, std::string_view payload);
  // Who waits for this user waits no longer.
  void UserIsHere(const std::string& user);
  // Channels of this server come again after a loss.
  void TellMissed(size_t index);
  void PublishToTopic(Publication publication);
  void PublishToUser(Publication publication);
  std::string IdKeyOf(const Publication& publication) const;
  // A publish was, which left for this server at `called`.
  void Answered(const RedisClient& client, const RedisReply& answer, TimePoint called);
  void Answer(PublishReply reply, PublishResult result);
  // What Redis's refusal, or its silence, is to the publisher.
  static PublishResult UnavailableResult();
  static PublishResult Refusal(const RedisReply& answer);
  // Where it is ahead of what Redis has done, the publisher is held.
  void SlowDown(const RedisClient& client, SessionRef session);
  void ReleaseHeld(const RedisClient& client);
  void Tick(TimePoint now);
  void ReadNext();
  void Read(PastQuestion question);
  PastEvents PastOf(const PastQuestion& question, const ClusterServer& server,
                    const RedisReply& answer) const;
  // So many bytes more, or less, are kept for the cluster.
  void CountMemory(int64_t bytes);

  Shard& shard_;
  const ClusterOptions& options_;
  const ClusterKeys& keys_;
  const ClusterScripts& scripts_;
  const std::string node_;
  MemoryShare memory_;
  int64_t bytes_ = 0;
  std::vector<Connections> connections_;
  std::vector<ClusterServer> servers_;  // these, for others
  std::unique_ptr<TopicLinks> links_;
  const Hand hand_;
  std::unique_ptr<NodeTalk> talk_;
  std::unique_ptr<NodeCalls> calls_;
  std::unique_ptr<PresenceWatch> watch_;
  std::unique_ptr<PresenceReport> report_;
  // Users with sessions on this node that are at home here, and which server they are on.
  StringMap<size_t> users_;
  // Users whose channels Redis has not confirmed yet, and who waits for that.
  StringMap<std::vector<absl::AnyInvocable<void()>>> coming_users_;
  HeldSessions held_;
  std::deque<PastQuestion> questions_;
  size_t reading_ = 0;
  bool reads_next_ = false;  // ReadNext is on the stack
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_CLUSTER_SHARD_H_
