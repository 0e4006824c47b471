#include "server/cluster/presence_watch.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "server/engine/shard.h"

namespace crier {
namespace {

// For the first answers of all nodes: who watches is told then who follows on those that have
// answered.
constexpr std::chrono::seconds kPatience{1};
// What nobody watches any more is watched for so long all the same: who comes and goes does not
// make all nodes tell their followers each time.
constexpr std::chrono::seconds kKept{30};
// Their last words arrive within seconds.
constexpr size_t kEndedNodes = 16;
// So many of them at most, so that who begins to watch and ends, topic by topic, fills no memory.
constexpr size_t kMostKept = 1000;
// Of names in one frame.
constexpr size_t kFrameBytes = 32 << 10;
// A slot of a table at a load of a half, besides the name.
constexpr size_t kOfUser = 2 * (sizeof(std::string) + 1);

int64_t MemoryOf(std::string_view user) { return static_cast<int64_t>(kOfUser + user.size()); }

}  // namespace

PresenceWatch::PresenceWatch(Shard* home, NodeTalk* talk,
                             std::function<void(int64_t bytes)> on_memory)
    : home_(*home), talk_(*talk), on_memory_(std::move(on_memory)) {}

PresenceWatch::Watched* PresenceWatch::Find(std::string_view topic) {
  const auto found = watched_.find(topic);
  return found == watched_.end() ? nullptr : &found->second;
}

void PresenceWatch::Watch(const std::string& topic) {
  const auto [found, is_new] = watched_.try_emplace(topic);
  Watched& watched = found->second;
  watched.used = true;
  if (!is_new) {
    // Nobody has watched for a moment.
    TellAll(topic, watched);
    if (watched.all_known) home_.topics().AllFollowersKnown(topic);
    return;
  }
  on_memory_(static_cast<int64_t>(sizeof(Watched) + 3 * topic.size()));
  watched.number = ++last_number_;
  by_number_[watched.number] = topic;
  watched.until = home_.clock().Now() + kPatience;
  waiting_.emplace(watched.until, topic);
  new_.push_back(topic);
  if (std::exchange(asks_, true)) return;
  // Together with all that is watched in this turn of the loop.
  home_.Post([this] { AskForNew(); });
}

void PresenceWatch::Unwatch(const std::string& topic) {
  Watched* const watched = Find(topic);
  if (watched == nullptr) return;
  watched->used = false;
  watched->unused_since = home_.clock().Now();
  unused_.push_back(topic);
  if (unused_.size() <= kMostKept) return;
  const auto oldest = watched_.find(unused_.front());
  unused_.pop_front();
  if (oldest != watched_.end() && !oldest->second.used) Forget(oldest);
}

void PresenceWatch::AskForNew() {
  asks_ = false;
  Tell(std::exchange(new_, {}));
}

void PresenceWatch::Tell(const std::vector<std::string>& topics) {
  for (size_t i = 0; i < topics.size();) {
    cluster::NodeFrame frame;
    cluster::Watch& watch = *frame.mutable_watch();
    std::vector<std::string> asked;
    for (size_t bytes = 0; i < topics.size() && bytes < kFrameBytes; ++i) {
      const Watched* const watched = Find(topics[i]);
      if (watched == nullptr) continue;
      cluster::Watch::Topic& topic = *watch.add_topics();
      topic.set_name(topics[i]);
      topic.set_number(watched->number);
      bytes += topics[i].size() + 1;
      if (!watched->all_known && !watched->whom) asked.push_back(topics[i]);
    }
    talk_.TellAll(std::move(frame), [this, asked = std::move(asked)](std::optional<size_t> nodes) {
      for (const std::string& topic : asked) Asked(topic, nodes);
    });
  }
}

void PresenceWatch::Asked(const std::string& topic, std::optional<size_t> nodes) {
  Watched* const watched = Find(topic);
  // Redis is away: the answers come when it is back.
  if (watched == nullptr || !nodes) return;
  watched->whom = nodes;
  if (watched->known >= *nodes) KnowAll(topic, watched);
}

void PresenceWatch::Answered(const std::string& topic, Watched* watched) {
  ++watched->known;
  if (watched->whom && watched->known >= *watched->whom) KnowAll(topic, watched);
}

void PresenceWatch::KnowAll(const std::string& topic, Watched* watched) {
  if (std::exchange(watched->all_known, true)) return;
  waiting_.erase({watched->until, topic});
  if (watched->used) home_.topics().AllFollowersKnown(topic);
}

// --- What nodes say.

bool PresenceWatch::Hear(const std::string& node) {
  if (std::find(ended_.begin(), ended_.end(), node) != ended_.end()) return false;
  heard_at_[node] = home_.clock().Now();
  return true;
}

void PresenceWatch::OnEnded(const std::string& node) {
  ForgetNode(node);
  ended_.push_back(node);
  if (ended_.size() > kEndedNodes) ended_.pop_front();
}

void PresenceWatch::OnMembers(const std::string& from, const cluster::Members& members) {
  const std::string node(NodeOf(from));
  if (!Hear(node)) return;
  Watched* const watched = Find(members.topic());
  if (watched == nullptr) return;
  Elsewhere& there = watched->others[node];
  if (members.first()) {
    for (const std::string& user : there.coming) on_memory_(-MemoryOf(user));
    there.coming.clear();
  }
  for (const std::string& user : members.users()) {
    if (there.coming.insert(user).second) on_memory_(MemoryOf(user));
  }
  if (!members.last()) return;
  Elsewhere is;
  is.version = members.version();
  is.sessions = members.sessions();
  is.users = std::move(there.coming);
  there.coming = {};
  const bool is_first = there.version == 0;
  Replace(members.topic(), there, is);
  for (const std::string& user : there.users) on_memory_(-MemoryOf(user));
  there = std::move(is);
  if (is_first) Answered(members.topic(), watched);
}

void PresenceWatch::OnChanged(const std::string& from, const cluster::MembersChanged& change) {
  const std::string node(NodeOf(from));
  if (!Hear(node)) return;
  Watched* const watched = Find(change.topic());
  if (watched == nullptr) return;
  Elsewhere& there = watched->others[node];
  // Members is on its way where it is the first that is heard.
  if (there.version == 0) return;
  if (there.version != change.before()) return Resend(from, change.topic());
  FollowersElsewhere news;
  for (const std::string& user : change.joined()) {
    if (!there.users.insert(user).second) continue;
    on_memory_(MemoryOf(user));
    news.joined.push_back(user);
  }
  for (const std::string& user : change.left()) {
    if (there.users.erase(user) == 0) continue;
    on_memory_(-MemoryOf(user));
    news.left.push_back(user);
  }
  news.sessions = static_cast<int64_t>(change.sessions()) - static_cast<int64_t>(there.sessions);
  there.version = change.version();
  there.sessions = change.sessions();
  if (watched->used) Apply(change.topic(), news);
}

void PresenceWatch::OnVersions(const std::string& from, const cluster::Versions& versions) {
  const std::string node(NodeOf(from));
  if (!Hear(node)) return;
  for (const auto& [number, version] : versions.versions()) {
    const auto topic = by_number_.find(number);
    if (topic == by_number_.end()) continue;
    Watched* const watched = Find(topic->second);
    // Not known, or something was missed. Members that is on its way comes before this.
    if (watched != nullptr && watched->others[node].version != version) {
      Resend(from, topic->second);
    }
  }
}

void PresenceWatch::Resend(const std::string& from, const std::string& topic) {
  cluster::NodeFrame frame;
  frame.mutable_resend()->set_topic(topic);
  talk_.Tell(from, std::move(frame));
}

// --- What the topics are told.

void PresenceWatch::Apply(const std::string& topic, const FollowersElsewhere& change) {
  home_.topics().ChangeFollowersElsewhere(topic, change);
}

void PresenceWatch::Replace(const std::string& topic, const Elsewhere& was, const Elsewhere& is) {
  FollowersElsewhere change;
  for (const std::string& user : is.users) {
    if (!was.users.contains(user)) change.joined.push_back(user);
  }
  for (const std::string& user : was.users) {
    if (!is.users.contains(user)) change.left.push_back(user);
  }
  change.sessions = static_cast<int64_t>(is.sessions) - static_cast<int64_t>(was.sessions);
  Apply(topic, change);
}

void PresenceWatch::TellAll(const std::string& topic, const Watched& watched) {
  for (const auto& [node, there] : watched.others) Replace(topic, {}, there);
}

// --- Time.

void PresenceWatch::Tick(TimePoint now) {
  TellForgotten();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const std::string topic = waiting_.begin()->second;
    KnowAll(topic, Find(topic));
  }
  if (renewed_at_ && now - *renewed_at_ < kRenewal) return;
  renewed_at_ = now;
  std::vector<std::string> silent;
  for (const auto& [node, heard_at] : heard_at_) {
    if (now - heard_at >= kSilence) silent.push_back(node);
  }
  for (const std::string& node : silent) ForgetNode(node);
  std::vector<std::string> topics;
  for (auto watched = watched_.begin(); watched != watched_.end();) {
    const auto next = std::next(watched);
    if (!watched->second.used && now - watched->second.unused_since >= kKept) {
      Forget(watched);
    } else {
      topics.push_back(watched->first);
    }
    watched = next;
  }
  Tell(topics);
}

void PresenceWatch::Forget(StringMap<Watched>::iterator found) {
  int64_t bytes = static_cast<int64_t>(sizeof(Watched) + 3 * found->first.size());
  const Watched& watched = found->second;
  for (const auto& [node, there] : watched.others) {
    for (const std::string& user : there.users) bytes += MemoryOf(user);
    for (const std::string& user : there.coming) bytes += MemoryOf(user);
  }
  on_memory_(-bytes);
  waiting_.erase({watched.until, found->first});
  by_number_.erase(watched.number);
  forgotten_.push_back(found->first);
  watched_.erase(found);
}

void PresenceWatch::TellForgotten() {
  for (size_t i = 0; i < forgotten_.size();) {
    cluster::NodeFrame frame;
    cluster::Watch& watch = *frame.mutable_watch();
    watch.set_ended(true);
    for (size_t bytes = 0; i < forgotten_.size() && bytes < kFrameBytes; ++i) {
      // Somebody watches it again, and all nodes were told so.
      if (Find(forgotten_[i]) != nullptr) continue;
      bytes += forgotten_[i].size() + 1;
      watch.add_topics()->set_name(std::move(forgotten_[i]));
    }
    if (!watch.topics().empty()) talk_.TellAll(std::move(frame), nullptr);
  }
  forgotten_.clear();
}

void PresenceWatch::ForgetNode(const std::string& node) {
  heard_at_.erase(node);
  for (auto& [topic, watched] : watched_) {
    const auto found = watched.others.find(node);
    if (found == watched.others.end()) continue;
    int64_t bytes = 0;
    for (const std::string& user : found->second.users) bytes += MemoryOf(user);
    for (const std::string& user : found->second.coming) bytes += MemoryOf(user);
    on_memory_(-bytes);
    if (watched.used) Replace(topic, found->second, {});
    watched.others.erase(found);
  }
}

}  // namespace crier
