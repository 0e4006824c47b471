// The topics that somebody on this node follows, of which one shard is the home: keeps each log
// where the topic is in Redis.
//
//   Follow -> subscribe -> ask for the topic's place -> TopicStore::Begin -> events are appended
//
// An event whose offset comes next is appended. Anything else, and every reconnect, makes the shard
// ask for the topic's place again and compare: a hole makes the log begin anew at that place, and
// each follower reads what it has not got from Redis (SharedBus::ReadPast) or is told of a gap.
// Where Redis has lost what this node has seen, it is made to begin a new epoch, and followers are
// told NEW_EPOCH.
#ifndef CRIER_SERVER_CLUSTER_TOPIC_LINKS_H_
#define CRIER_SERVER_CLUSTER_TOPIC_LINKS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/base/string_map.h"
#include "server/cluster/cluster_keys.h"
#include "server/cluster/cluster_scripts.h"
#include "server/cluster/redis_client.h"
#include "server/cluster/redis_subscriber.h"
#include "server/engine/topic.h"

namespace crier {

class Shard;

// The connections of one shard to one server of the cluster.
struct ClusterServer {
  RedisClient* client = nullptr;
  RedisSubscriber* subscriber = nullptr;
  // The number of its life, as text (cluster_scripts.h). Empty: it cannot be used now.
  std::string life{};
  // How many keys it had evicted by then.
  uint64_t evicted = 0;

  // The same as a number; 0: it cannot be used now. It is also the epoch of topics that nothing was
  // published to in this life.
  uint64_t life_number() const;
};

// Runs on: the shard's thread, all of it.
class TopicLinks {
 public:
  // All of these outlive this object. `servers` are in the order of the URL's. `on_memory` is told
  // the change of the bytes that are kept.
  TopicLinks(Shard* home, const ClusterKeys* keys, const ClusterScripts* scripts,
             const std::vector<ClusterServer>* servers,
             std::function<void(int64_t bytes)> on_memory);

  // SharedBus::Follow and Unfollow.
  void Follow(const std::string& topic);
  void Unfollow(const std::string& topic);

  // What came on a topic's channel: "EPOCH OFFSET MESSAGE". Offset 0: the epoch is new, and no
  // message.
  void OnEvent(std::string_view topic, std::string_view payload);

  // The topic was seen in this epoch in Redis: where that is not this node's, its place is asked
  // for.
  void Compare(const std::string& topic, uint64_t epoch);

  // All that comes from this server comes again, or it answers again: every topic there is looked
  // at.
  // `missed`: its channels were not heard for a while.
  void CheckAll(size_t server, bool missed);

  // Every kTickInterval: asks again where Redis answered with an error.
  void Tick();

 private:
  struct Link {
    uint64_t number = 0;  // tells it from a link of the same topic before
    size_t server = 0;
    bool subscribed = false;
    bool asking = false;  // its place was asked for
    bool queued = false;  // in to_ask_
    bool again = false;   // it is to be asked for once more: that answer may be too old
    // All that was said on its channel was heard since it was asked for its place last.
    bool heard = false;
    bool missed = false;  // the same since the question that is not answered yet: not all was
    // ClusterServer::evicted when its place was known last.
    uint64_t evicted = 0;
    // The highest place of what came and could not be appended, since its place was asked for.
    TopicPlace beyond{};
    // In this epoch an offset came twice, with different messages, and Redis was not asked for
    // another epoch yet. 0: none.
    uint64_t conflict = 0;
  };

  // So many places are asked for at once: a server that comes back is not flooded.
  static constexpr size_t kMostAsking = 1000;

  // Of a link with its entry, in bytes.
  static int64_t MemoryOf(std::string_view topic);

  void AskFor(const std::string& topic, Link* link);
  void AskForMore();
  void Ask(const std::string& topic, Link* link);
  // Makes Redis begin a new epoch, unless it is at another one already. `force`: also where it is
  // not behind.
  void Renew(const std::string& topic, Link* link, bool force);
  // What Redis says where the topic is. `seen`: where it was here when that was asked.
  void OnPlace(const std::string& topic, Link* link, TopicPlace place, TopicPlace seen);
  // Null: the answer says nothing, or nobody follows the topic any more.
  Link* Answered(const std::string& topic, uint64_t number, const RedisReply& reply,
                 RedisReply::Kind wanted);
  // Where the topic is on this node.
  TopicPlace PlaceHere(const std::string& topic) const;
  void Append(Topic* topic, v1::Message message);
  bool Differs(const Topic& topic, const v1::Message& message) const;
  Link* Find(std::string_view topic, uint64_t number);

  Shard& home_;
  const ClusterKeys& keys_;
  const ClusterScripts& scripts_;
  const std::vector<ClusterServer>& servers_;
  const std::function<void(int64_t bytes)> on_memory_;
  StringMap<Link> links_;
  uint64_t last_number_ = 0;
  size_t asking_ = 0;
  std::deque<std::pair<std::string, uint64_t>> to_ask_;   // and its link's number
  std::vector<std::pair<std::string, uint64_t>> failed_;  // to be asked for in the next tick
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_TOPIC_LINKS_H_
