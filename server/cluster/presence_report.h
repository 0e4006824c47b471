// Tells other nodes who follows here the topics that somebody there watches (presence_watch.h has
// the other side).
#ifndef CRIER_SERVER_CLUSTER_PRESENCE_REPORT_H_
#define CRIER_SERVER_CLUSTER_PRESENCE_REPORT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "crier/cluster/node.pb.h"
#include "server/base/clock.h"
#include "server/base/string_map.h"
#include "server/cluster/node_talk.h"

namespace crier {

class Shard;

// Of the topics at home on one shard. Runs on: its thread, all of it.
class PresenceReport {
 public:
  // A node that has not said for so long that it watches does so no more.
  static constexpr std::chrono::seconds kLease{30};
  // What has changed is told after about so long, together.
  static constexpr std::chrono::milliseconds kDelay{200};

  // Both outlive this object. `on_memory` is told the change of the bytes that are kept.
  PresenceReport(Shard* home, NodeTalk* talk, std::function<void(int64_t bytes)> on_memory);

  // `watch`: topics at home here, which `from` watches, or no more.
  void OnWatch(const std::string& from, const cluster::Watch& watch);
  void OnResend(const std::string& from, const std::string& topic);
  // SharedBus::FollowerChanged. Costs no more than a look into a table where nobody watches.
  void FollowerChanged(const std::string& topic, const std::string& user, bool here);

  // Every kTickInterval.
  void Tick(TimePoint now);

 private:
  struct Watcher {
    std::string name;  // NODE:SHARD
    TimePoint until;
  };
  struct Reported {
    std::vector<Watcher> watchers;
    uint64_t version = 0;  // that they were told last
    uint64_t sessions = 0;
    // Whether the user is here now, of those for whom that differs from what was told.
    StringMap<bool> changed;
  };

  void End(const std::string& topic, const std::string& watcher);
  // True: this one is new.
  bool Renew(const std::string& topic, const std::string& watcher);
  // Tells all watchers what has changed.
  void TellChanges(const std::string& topic, Reported* reported);
  // All followers, to one watcher. REQUIRES: all changes were told.
  void TellMembers(const std::string& topic, const Reported& reported, const std::string& watcher);
  uint64_t SessionsIn(const std::string& topic) const;

  Shard& home_;
  NodeTalk& talk_;
  const std::function<void(int64_t bytes)> on_memory_;
  StringMap<Reported> reported_;
  // Each of them once: looked at one after the other.
  std::deque<std::string> round_;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_PRESENCE_REPORT_H_
