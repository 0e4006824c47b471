// Who follows elsewhere the topics that somebody on this node watches (Subscribe.presence).
//
//   Watch    -> all nodes: these topics. Each answers with all its followers (Members), tells what
//               changes from then on (MembersChanged), until it is said that they are watched no
//               more, or not said again within half a minute.
//   every 5 s, all watched topics again. Each node answers with the versions that it has told
//               (Versions): what was missed is asked for again (Resend).
//
// A node that says nothing for a quarter of a minute counts as gone, with all its followers. So
// nothing stays for ever of who has left, whatever was lost on the way.
#ifndef CRIER_SERVER_CLUSTER_PRESENCE_WATCH_H_
#define CRIER_SERVER_CLUSTER_PRESENCE_WATCH_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "crier/cluster/node.pb.h"
#include "server/base/clock.h"
#include "server/base/string_map.h"
#include "server/cluster/node_talk.h"
#include "server/engine/topic.h"

namespace crier {

class Shard;

// Of the topics at home on one shard. Runs on: its thread, all of it.
class PresenceWatch {
 public:
  // How often it is said again what is watched, and for how long a node may be silent.
  static constexpr std::chrono::seconds kRenewal{5};
  static constexpr std::chrono::seconds kSilence{16};

  // Both outlive this object. `on_memory` is told the change of the bytes that are kept.
  PresenceWatch(Shard* home, NodeTalk* talk, std::function<void(int64_t bytes)> on_memory);

  // SharedBus::WatchPresence and UnwatchPresence.
  void Watch(const std::string& topic);
  void Unwatch(const std::string& topic);

  void OnMembers(const std::string& from, const cluster::Members& members);
  void OnChanged(const std::string& from, const cluster::MembersChanged& change);
  void OnVersions(const std::string& from, const cluster::Versions& versions);
  // The node stops, and this is the last of it: what comes all the same was on its way.
  void OnEnded(const std::string& node);
  // A node, this one or another, hears again what all are told: all is said again at once.
  void Renew() { renewed_at_.reset(); }

  // Every kTickInterval.
  void Tick(TimePoint now);

 private:
  using Users = absl::flat_hash_set<std::string, StringHash, StringEqual>;
  // Who follows a topic on one other node.
  struct Elsewhere {
    uint64_t version = 0;  // 0: not known yet
    uint64_t sessions = 0;
    Users users;
    Users coming;  // of Members, until the last part
  };
  struct Watched {
    uint32_t number = 0;
    bool used = true;  // somebody watches
    TimePoint unused_since;
    bool all_known = false;
    size_t known = 0;             // nodes that have answered
    std::optional<size_t> whom;   // nodes that were asked, once it is known
    TimePoint until;              // no longer waited for then
    StringMap<Elsewhere> others;  // by node
  };

  // Tells all nodes of topics that they do not know of yet.
  void AskForNew();
  // Tells all nodes that these are watched, in as many frames as it takes.
  void Tell(const std::vector<std::string>& topics);
  void Asked(const std::string& topic, std::optional<size_t> nodes);
  // One more node has said who follows the topic.
  void Answered(const std::string& topic, Watched* watched);
  void KnowAll(const std::string& topic, Watched* watched);
  void Resend(const std::string& from, const std::string& topic);
  // Tells the topic who is there in place of `was`.
  void Replace(const std::string& topic, const Elsewhere& was, const Elsewhere& is);
  // All that are on other nodes come, for one who has just begun to watch.
  void TellAll(const std::string& topic, const Watched& watched);
  void Forget(StringMap<Watched>::iterator watched);
  // Tells all nodes what was forgotten since.
  void TellForgotten();
  void ForgetNode(const std::string& node);
  // Something has come from this node. False: it has ended.
  bool Hear(const std::string& node);
  Watched* Find(std::string_view topic);
  void Apply(const std::string& topic, const FollowersElsewhere& change);

  Shard& home_;
  NodeTalk& talk_;
  const std::function<void(int64_t bytes)> on_memory_;
  StringMap<Watched> watched_;
  absl::flat_hash_map<uint32_t, std::string> by_number_;
  uint32_t last_number_ = 0;
  std::vector<std::string> new_;                         // not told yet
  bool asks_ = false;                                    // AskForNew comes
  std::vector<std::string> forgotten_;                   // not told yet
  std::set<std::pair<TimePoint, std::string>> waiting_;  // for nodes' answers
  StringMap<TimePoint> heard_at_;                        // by node
  std::optional<TimePoint> renewed_at_;
  std::deque<std::string> unused_;  // kept though nobody watches; the oldest first, some twice
  std::deque<std::string> ended_;   // the last nodes that have
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_PRESENCE_WATCH_H_
