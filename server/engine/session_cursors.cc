// Session: following topics, and where its cursors begin.
#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/session.h"
#include "server/engine/shard.h"

namespace crier {

void Session::Follow(Subscription* subscription, std::string_view topic,
                     v1::SlowConsumerPolicy policy,
                     std::unique_ptr<Subscription::Pending> pending) {
  subscription->policy = policy;
  subscription->pending = std::move(pending);
  Feed* feed = shard_->FeedOf(topic, encoding_);
  feed->AddFollower(subscription);
  if (feed->started()) StartCursor(subscription);
}

void Session::Unfollow(Subscription* subscription) {
  Feed* feed = subscription->feed;
  if (subscription->ready) {
    ready_.erase(std::remove(ready_.begin(), ready_.end(), subscription), ready_.end());
    subscription->ready = false;
  }
  feed->RemoveFollower(subscription);
  shard_->ReportHanded(feed);
  shard_->ReleaseFeed(feed);
}

void Session::StartCursor(Subscription* subscription) {
  Feed* feed = subscription->feed;
  assert(feed->started() && subscription->pending != nullptr);
  const EventLog& log = feed->log();
  auto& resume = subscription->pending->resume;
  if (resume && !subscription->pending->asked_for_more && encoding_ != &CanonicalEncoding()) {
    const uint64_t wanted = resume->epoch() == feed->epoch() ? resume->offset() + 1 : 1;
    if (wanted < log.tail()) {
      subscription->pending->asked_for_more = true;
      shard_->ExtendFeed(feed);  // comes back here
      return;
    }
  }
  const std::unique_ptr<Subscription::Pending> pending = std::move(subscription->pending);
  if (pending->resume) {
    ResumeAt(subscription, *pending->resume);
  } else {
    subscription->start = log.head();
    subscription->next = log.head() + 1;
  }
  if (!pending->ack_id.empty()) {
    PublishResult position;
    position.epoch = feed->epoch();
    position.offset = subscription->next - 1;
    SendAck(pending->ack_id, feed->topic(), position, user_id_);
  }
  if (subscription->next <= log.head()) MarkReady(subscription);
}

void Session::ResumeAt(Subscription* subscription, const v1::ResumePoint& point) {
  const Feed& feed = *subscription->feed;
  const EventLog& log = feed.log();
  // A client that has seen nothing yet (0) has no epoch to have missed.
  const bool same_epoch = point.epoch() == feed.epoch() || point.epoch() == 0;
  subscription->start = same_epoch ? std::min(point.offset(), log.head()) : 0;
  subscription->next = subscription->start + 1;
  const uint64_t tail = log.tail();
  const bool missing = subscription->next < tail;
  ResumeKind kind = ResumeKind::kComplete;
  if (missing || !same_epoch) {
    kind = same_epoch ? ResumeKind::kGap : ResumeKind::kNewEpoch;
    const auto reason = same_epoch ? v1::EXPIRED : v1::NEW_EPOCH;
    NoteGap(reason, *subscription, subscription->next, tail - 1);
    const uint64_t skipped = tail - subscription->next;
    subscription->skipped += skipped;
    subscription->next = tail;
    const auto skip = same_epoch ? SkipKind::kExpired : SkipKind::kNewEpoch;
    shard_->metrics().events_skipped[static_cast<size_t>(skip)].Add(skipped);
  }
  shard_->metrics().resumes[static_cast<size_t>(kind)].Add();
}

void Session::ReseatEmptyTopic(const v1::ResumePoint& point) {
  if (empty_topic_.pending != nullptr) {
    empty_topic_.pending->resume = point;
    return;
  }
  if (!empty_topic_.held) {
    Refuse(Outcome::kInvalidMessage,
           "this hello came too late to resume the topic without a name, whose events are on their "
           "way; connect again and send hello at once");
    return;
  }
  empty_topic_.pending = std::make_unique<Subscription::Pending>();
  empty_topic_.pending->resume = point;
  StartCursor(&empty_topic_);
}

void Session::StopExpectingHello() {
  expects_hello_ = false;
  if (!std::exchange(empty_topic_.held, false)) return;
  if (empty_topic_.pending == nullptr && empty_topic_.next <= empty_topic_.feed->log().head()) {
    MarkReady(&empty_topic_);
  }
}

void Session::NoteGap(v1::GapReason reason, const Subscription& subscription, uint64_t first,
                      uint64_t last) {
  v1::Event event;
  v1::Gap& gap = *event.mutable_gap();
  gap.set_topic(subscription.feed->topic());
  gap.set_epoch(subscription.feed->epoch());
  gap.set_first(first);
  gap.set_last(last);
  gap.set_reason(reason);
  encoding_->Append(event, &notes_);
  EnqueueReady();
}

Subscription* Session::Find(std::string_view topic) {
  return const_cast<Subscription*>(std::as_const(*this).Find(topic));
}

const Subscription* Session::Find(std::string_view topic) const {
  if (topic.empty()) return &empty_topic_;
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : found->second.get();
}

Session::Account Session::AccountOf(std::string_view topic) const {
  const Subscription* subscription = Find(topic);
  if (subscription == nullptr || !subscription->feed->started()) return {};
  return {.start = subscription->start,
          .next = subscription->next,
          .head = subscription->feed->log().head(),
          .delivered = subscription->delivered,
          .skipped = subscription->skipped};
}

Session::Account Session::MailboxAccount() const {
  return {.start = 0,
          .next = mailbox_.next(),
          .head = mailbox_.log().head(),
          .delivered = mailbox_.delivered(),
          .skipped = mailbox_.skipped()};
}

}  // namespace crier
