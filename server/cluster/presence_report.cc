#include "server/cluster/presence_report.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// Of names in one frame.
constexpr size_t kFrameBytes = 32 << 10;
// A slot of a table at a load of a half.
constexpr size_t kOfChange = 2 * (sizeof(std::pair<std::string, bool>) + 1);

int64_t MemoryOf(std::string_view user) { return static_cast<int64_t>(kOfChange + user.size()); }

// Of a topic that is reported: the table, the round, and a watcher.
template <class Reported>
int64_t MemoryOfTopic(const std::string& topic) {
  constexpr size_t kWatcher = 80;
  return static_cast<int64_t>(2 * sizeof(Reported) + kWatcher + 2 * topic.size());
}

}  // namespace

PresenceReport::PresenceReport(Shard* home, NodeTalk* talk,
                               std::function<void(int64_t bytes)> on_memory)
    : home_(*home), talk_(*talk), on_memory_(std::move(on_memory)) {}

uint64_t PresenceReport::SessionsIn(const std::string& topic) const {
  const Topic* const here = home_.topics().Find(topic);
  return here == nullptr ? 0 : here->followers();
}

bool PresenceReport::Renew(const std::string& topic, const std::string& watcher) {
  const auto [found, is_new] = reported_.try_emplace(topic);
  Reported& reported = found->second;
  if (is_new) {
    on_memory_(MemoryOfTopic<Reported>(topic));
    round_.push_back(topic);
    // Another one than that of a lease that has ended.
    reported.version = home_.engine().NewEpoch();
    reported.sessions = SessionsIn(topic);
  }
  const TimePoint until = home_.clock().Now() + kLease;
  for (Watcher& known : reported.watchers) {
    if (known.name != watcher) continue;
    known.until = until;
    return false;
  }
  reported.watchers.push_back({.name = watcher, .until = until});
  return true;
}

void PresenceReport::End(const std::string& topic, const std::string& watcher) {
  const auto found = reported_.find(topic);
  if (found == reported_.end()) return;
  // Where it was the last one, the topic goes with its next turn in the round.
  std::erase_if(found->second.watchers,
                [&watcher](const Watcher& known) { return known.name == watcher; });
}

void PresenceReport::OnWatch(const std::string& from, const cluster::Watch& watch) {
  cluster::NodeFrame known;
  for (const cluster::Watch::Topic& topic : watch.topics()) {
    if (watch.ended()) {
      End(topic.name(), from);
      continue;
    }
    const bool is_new = Renew(topic.name(), from);
    Reported& reported = reported_[topic.name()];
    if (is_new) {
      TellChanges(topic.name(), &reported);
      TellMembers(topic.name(), reported, from);
    } else {
      (*known.mutable_versions()->mutable_versions())[topic.number()] = reported.version;
    }
  }
  if (known.has_versions()) talk_.Tell(from, std::move(known));
}

void PresenceReport::OnResend(const std::string& from, const std::string& topic) {
  const auto found = reported_.find(topic);
  // Then it is told all with its next Watch.
  if (found == reported_.end()) return;
  TellChanges(topic, &found->second);
  TellMembers(topic, found->second, from);
}

void PresenceReport::FollowerChanged(const std::string& topic, const std::string& user, bool here) {
  if (reported_.empty()) return;
  const auto found = reported_.find(topic);
  if (found == reported_.end()) return;
  StringMap<bool>& changed = found->second.changed;
  const auto [change, is_new] = changed.try_emplace(user, here);
  if (is_new) return on_memory_(MemoryOf(user));
  // As it was told: who came and went in the meantime is no news.
  on_memory_(-MemoryOf(user));
  changed.erase(change);
}

void PresenceReport::TellChanges(const std::string& topic, Reported* reported) {
  const uint64_t sessions = SessionsIn(topic);
  if (reported->changed.empty() && sessions == reported->sessions) return;
  reported->sessions = sessions;
  const StringMap<bool> changed = std::exchange(reported->changed, {});
  auto next = changed.begin();
  do {
    cluster::NodeFrame frame;
    cluster::MembersChanged& change = *frame.mutable_members_changed();
    change.set_topic(topic);
    change.set_sessions(sessions);
    for (size_t bytes = 0; next != changed.end() && bytes < kFrameBytes; ++next) {
      const auto& [user, here] = *next;
      (here ? change.add_joined() : change.add_left())->assign(user);
      bytes += user.size() + 1;
      on_memory_(-MemoryOf(user));
    }
    change.set_before(reported->version);
    change.set_version(++reported->version);
    for (const Watcher& watcher : reported->watchers) talk_.Tell(watcher.name, frame);
  } while (next != changed.end());
}

void PresenceReport::TellMembers(const std::string& topic, const Reported& reported,
                                 const std::string& watcher) {
  v1::Presence here;
  if (const Topic* const known = home_.topics().Find(topic)) {
    known->DescribePresence(SIZE_MAX, &here);
  }
  int i = 0;
  do {
    cluster::NodeFrame frame;
    cluster::Members& members = *frame.mutable_members();
    members.set_topic(topic);
    members.set_version(reported.version);
    members.set_sessions(reported.sessions);
    members.set_first(i == 0);
    for (size_t bytes = 0; i < here.users_size() && bytes < kFrameBytes; ++i) {
      bytes += here.users(i).size() + 1;
      members.add_users(std::move(*here.mutable_users(i)));
    }
    members.set_last(i == here.users_size());
    talk_.Tell(watcher, std::move(frame));
  } while (i < here.users_size());
}

void PresenceReport::Tick(TimePoint now) {
  // Each of them about once in kDelay.
  const size_t share = static_cast<size_t>(kDelay / kTickInterval);
  for (size_t left = (round_.size() + share - 1) / share; left > 0; --left) {
    std::string topic = std::move(round_.front());
    round_.pop_front();
    const auto found = reported_.find(topic);
    Reported& reported = found->second;
    std::erase_if(reported.watchers, [now](const Watcher& known) { return known.until <= now; });
    if (!reported.watchers.empty()) {
      TellChanges(topic, &reported);
      round_.push_back(std::move(topic));
      continue;
    }
    int64_t bytes = MemoryOfTopic<Reported>(topic);
    for (const auto& [user, here] : reported.changed) bytes += MemoryOf(user);
    on_memory_(-bytes);
    reported_.erase(found);
  }
}

}  // namespace crier
