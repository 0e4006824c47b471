// Shard: the topics it is home to, and its feeds of topics.
#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {

// --- Topics whose home is here.

Topic& Shard::TopicHere(std::string_view name) {
  assert(IsCurrent() && &engine_->HomeOf(name) == this);
  auto& topic = topics_[name];
  if (topic == nullptr) topic = std::make_unique<Topic>(this, std::string(name));
  return *topic;
}

Topic* Shard::FindTopicHere(std::string_view name) {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

void Shard::PublishHere(Publication publication) {
  // Runs on: shard thread
  assert(IsCurrent());
  if (publication.message.action_type() == v1::DIRECT) {
    DeliverDirect(std::move(publication));
  } else {
    TopicHere(publication.message.topic()).Publish(std::move(publication));
  }
}

void Shard::DeliverDirect(Publication publication) {
  PublishResult result;
  v1::Message& message = publication.message;
  std::string key;
  const TimePoint at = publication.arrival.at;
  if (!message.id().empty() && !publication.publisher.empty()) {
    key = DedupeTable::Key(publication.publisher, message.id());
    if (const PublishResult* first = direct_dedupe_.Find(key, clock().Now())) {
      result = *first;
      result.duplicate = true;
      if (publication.done) publication.done(result);
      return;
    }
  }
  const auto recipients = directory_.Find(message.to());
  result.recipients = recipients.size();
  if (recipients.empty()) {
    result.outcome = Outcome::kNoRecipient;
    result.detail = absl::StrCat("no session of user \"", message.to(), "\" is here");
  } else {
    HandOut(&message, at, recipients);
    if (!key.empty()) direct_dedupe_.Remember(std::move(key), result, clock().Now());
  }
  if (publication.done) publication.done(result);
}

// To the mailboxes of these sessions, wherever they live. Takes the message.
void Shard::HandOut(v1::Message* message, TimePoint at, std::span<const SessionRef> recipients) {
  v1::Event& event = scratch_event();
  event.mutable_message()->Swap(message);
  std::shared_ptr<const v1::Event> shared;  // by the other shards
  for (const SessionRef& ref : recipients) {
    if (ref.shard == index_) {
      if (Session* session = FindSession(ref.id)) session->Deliver(event, at);
      continue;
    }
    if (shared == nullptr) shared = std::make_shared<const v1::Event>(event);
    SendTo(ref.shard, [&shard = engine_->shard(ref.shard), id = ref.id, shared, at] {
      if (Session* session = shard.FindSession(id)) session->Deliver(*shared, at);
    });
  }
}

void Shard::AccountLogMemory(int64_t bytes) {
  metrics_->log_bytes.Add(bytes);
  engine_->AccountLogMemory(bytes);
}

void Shard::ShrinkLargestLog() {
  // Runs on: shard thread
  assert(IsCurrent());
  Topic* largest = nullptr;
  for (auto& [name, topic] : topics_) {
    if (largest == nullptr || topic->memory() > largest->memory()) largest = topic.get();
  }
  if (largest != nullptr) largest->Shrink();
}

// --- Feeds.

Feed* Shard::FindFeed(std::string_view topic, const Encoding* encoding) {
  const auto found = feeds_.find(topic);
  if (found == feeds_.end()) return nullptr;
  for (const auto& feed : found->second) {
    if (feed->encoding() == encoding) return feed.get();
  }
  return nullptr;
}

Feed* Shard::FeedOf(std::string_view topic, const Encoding* encoding) {
  assert(IsCurrent());
  if (Feed* feed = FindFeed(topic, encoding)) return feed;
  Feed* feed = feeds_[topic]
                   .emplace_back(std::make_unique<Feed>(std::string(topic), encoding,
                                                        options().topic_log, ++last_feed_ticket_))
                   .get();
  Shard& home = engine_->HomeOf(topic);
  if (&home == this) {
    feed->Start(TopicHere(topic).AddFeed(index_, encoding));
    return feed;
  }
  SendTo(home.index(), [this, &home, name = feed->topic(), encoding, ticket = feed->ticket()] {
    FeedStart start = home.TopicHere(name).AddFeed(index_, encoding);
    home.SendTo(index_, [this, name, encoding, ticket, start = std::move(start)] {
      StartFeed(name, encoding, ticket, start);
    });
  });
  return feed;
}

void Shard::StartFeed(std::string_view topic, const Encoding* encoding, uint64_t ticket,
                      const FeedStart& start) {
  assert(IsCurrent());
  Feed* feed = FindFeed(topic, encoding);
  // The feed that asked may be gone, and another may have asked since.
  if (feed == nullptr || feed->ticket() != ticket) return;
  feed->Start(start);
  StartFollowers(feed);
}

void Shard::StartFollowers(Feed* feed) {
  for (Subscription* follower : feed->followers()) {
    if (follower->pending != nullptr) follower->session->StartCursor(follower);
  }
}

void Shard::ReleaseFeed(Feed* feed) {
  if (!feed->followers().empty() || feed->pinned) return;
  const auto found = feeds_.find(feed->topic());
  auto owned = std::find_if(found->second.begin(), found->second.end(),
                            [feed](const auto& other) { return other.get() == feed; });
  const std::string topic = feed->topic();
  const Encoding* encoding = feed->encoding();
  if (feed->dirty) dirty_feeds_.erase(std::find(dirty_feeds_.begin(), dirty_feeds_.end(), feed));
  found->second.erase(owned);
  if (found->second.empty()) feeds_.erase(found);
  Shard& home = engine_->HomeOf(topic);
  SendTo(home.index(), [&home, topic, encoding, index = index_] {
    home.TopicHere(topic).RemoveFeed(index, encoding);
  });
}

void Shard::ExtendFeed(Feed* feed) {
  Shard& home = engine_->HomeOf(feed->topic());
  SendTo(home.index(), [this, &home, topic = feed->topic(), encoding = feed->encoding()] {
    home.TopicHere(topic).ExtendBack(encoding);
    home.SendTo(index_, [this, topic, encoding] {
      Feed* extended = FindFeed(topic, encoding);
      if (extended != nullptr && extended->started()) StartFollowers(extended);
    });
  });
}

void Shard::FeedMoved(std::string_view topic, const Encoding* encoding) {
  if (Feed* feed = FindFeed(topic, encoding)) MarkFeedDirty(feed);
}

void Shard::ApplyToFeed(std::string_view topic, const Encoding* encoding, uint64_t epoch,
                        const LogDelta& delta) {
  // Runs on: shard thread
  assert(IsCurrent());
  Feed* feed = FindFeed(topic, encoding);
  // What was meant for a feed before this one: its start is still on the way.
  if (feed == nullptr || !feed->started() || feed->epoch() != epoch) return;
  feed->Apply(delta);
  MarkFeedDirty(feed);
}

void Shard::MarkFeedDirty(Feed* feed) {
  if (std::exchange(feed->dirty, true)) return;
  dirty_feeds_.push_back(feed);
  ScheduleFlush();
}

void Shard::ReportHanded(Feed* feed) {
  if (!feed->started()) return;
  const uint64_t through = feed->HandedThrough();
  if (through <= feed->reported_through) return;
  feed->reported_through = through;
  Shard& home = engine_->HomeOf(feed->topic());
  if (&home == this) {
    if (Topic* topic = FindTopicHere(feed->topic()))
      topic->Handed(index_, feed->encoding(), through);
    return;
  }
  SendTo(home.index(),
         [&home, index = index_, name = feed->topic(), encoding = feed->encoding(), through] {
           if (Topic* topic = home.FindTopicHere(name)) topic->Handed(index, encoding, through);
         });
}

}  // namespace crier
