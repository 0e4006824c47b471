#include "server/engine/feed_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {

FeedTable::~FeedTable() = default;

int64_t FeedTable::MemoryOf(const Feed& feed) {
  // A slot of the table and its control byte, at a load of a half.
  constexpr size_t kSlot = 2 * (sizeof(std::pair<std::string, Feeds>) + 1);
  return static_cast<int64_t>(sizeof(Feed) + kSlot + 2 * feed.topic().size() + sizeof(Cursor*));
}

void FeedTable::PinEmptyTopic() {
  empty_topic_ = Of("", &CanonicalEncoding());
  empty_topic_->pinned = true;
}

Feed* FeedTable::Find(std::string_view topic, const Encoding* encoding) {
  const auto found = feeds_.find(topic);
  if (found == feeds_.end()) return nullptr;
  for (const auto& feed : found->second) {
    if (feed->encoding() == encoding) return feed.get();
  }
  return nullptr;
}

Feed* FeedTable::Of(std::string_view topic, const Encoding* encoding) {
  assert(shard_.IsCurrent());
  if (Feed* feed = Find(topic, encoding)) return feed;
  Feed* feed = feeds_[topic]
                   .emplace_back(std::make_unique<Feed>(
                       std::string(topic), encoding, shard_.options().topic_log, NewTicket(), this))
                   .get();
  shard_.memory().Add(MemoryKind::kSessions, MemoryOf(*feed));
  const size_t home = shard_.engine().HomeIndexOf(topic);
  if (home == shard_.index()) {
    shard_.topics().AddFeed(topic, {home, encoding, feed->ticket()});
  } else {
    shard_.mail().Send(home, FollowMail{feed->topic(), encoding, feed->ticket()});
  }
  return feed;
}

void FeedTable::Start(std::string_view topic, const Encoding* encoding, uint64_t ticket,
                      const FeedStart& start) {
  Feed* feed = Find(topic, encoding);
  // The feed that asked may be gone, and another may have asked since.
  if (feed == nullptr || feed->ticket() != ticket) return;
  feed->Start(start);
  // Only now are its followers counted.
  if (feed->watched()) {
    shard_.mail().Send(shard_.engine().HomeIndexOf(topic),
                       FollowerMail{feed->topic(), {}, /*here=*/true});
  }
  for (Cursor* follower : feed->followers()) follower->session().following().Begin(follower);
}

void FeedTable::BeginAnew(std::string_view topic, const Encoding* encoding, const FeedStart& start,
                          bool complete) {
  Feed* feed = Find(topic, encoding);
  // What was meant for a feed before this one: its own start is still on the way.
  if (feed == nullptr || !feed->started()) return;
  const uint64_t epoch_before = complete ? 0 : feed->epoch();
  feed->BeginAnew(start);
  for (Cursor* follower : feed->followers()) {
    follower->session().following().BeginAnew(follower, epoch_before);
  }
  MarkMoved(feed);
}

void FeedTable::GiveBack(Feed* feed) {
  if (!feed->followers().empty() || feed->pinned) return;
  if (feed->dirty) moved_.erase(std::find(moved_.begin(), moved_.end(), feed));
  const auto found = feeds_.find(feed->topic());
  auto owned = std::find_if(found->second.begin(), found->second.end(),
                            [feed](const auto& other) { return other.get() == feed; });
  UnfollowMail mail{feed->topic(), feed->encoding()};
  shard_.memory().Add(MemoryKind::kSessions, -MemoryOf(*feed));
  found->second.erase(owned);
  if (found->second.empty()) feeds_.erase(found);
  const size_t home = shard_.engine().HomeIndexOf(mail.topic);
  shard_.mail().Send(home, std::move(mail));
}

void FeedTable::Moved(std::string_view topic, const Encoding* encoding) {
  if (Feed* feed = Find(topic, encoding)) MarkMoved(feed);
}

void FeedTable::Apply(std::string_view topic, const Encoding* encoding, uint64_t epoch,
                      const LogDelta& delta) {
  Feed* feed = Find(topic, encoding);
  // What was meant for a feed before this one: its start is still on the way.
  if (feed == nullptr || !feed->started() || feed->epoch() != epoch) return;
  feed->Apply(delta);
  MarkMoved(feed);
}

void FeedTable::MarkMoved(Feed* feed) {
  if (std::exchange(feed->dirty, true)) return;
  moved_.push_back(feed);
  shard_.ScheduleFlush();
}

uint64_t FeedTable::BeginPasses(bool only_first) {
  uint64_t most = 0;
  std::erase_if(moved_, [this, only_first, &most](Feed* feed) {
    if (only_first && !feed->GoesFirst()) return false;
    feed->dirty = false;
    most = std::max(most, feed->BeginPass());
    ReportHanded(feed);
    return true;
  });
  return most;
}

void FeedTable::ReportHanded(Feed* feed) {
  if (!feed->started()) return;
  const uint64_t through = feed->HandedThrough();
  if (through <= feed->reported_through) return;
  feed->reported_through = through;
  const size_t home = shard_.engine().HomeIndexOf(feed->topic());
  if (home == shard_.index()) {
    shard_.topics().Handed(home, {feed->topic(), feed->encoding(), feed->epoch(), through});
  } else {
    shard_.mail().Send(home, HandedMail{feed->topic(), feed->encoding(), feed->epoch(), through});
  }
}

}  // namespace crier
