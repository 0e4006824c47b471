#include "server/engine/feed.h"

#include <cassert>
#include <utility>

#include "server/engine/session.h"

namespace crier {
namespace {

// A follower that is still behind after so many flushes is not keeping up: it counts as lagging.
constexpr size_t kMostOpenPasses = 64;

}  // namespace

Feed::Feed(std::string topic, const Encoding* encoding, const LogLimits& limits, uint64_t ticket)
    : topic_(std::move(topic)), encoding_(encoding), ticket_(ticket), replica_(limits) {}

void Feed::Start(const FeedStart& start) {
  assert(!started());
  epoch_ = start.epoch;
  home_log_ = start.home_log;
  if (home_log_ == nullptr) replica_.Apply(start.snapshot);
  follower_count_ = start.follower_count;
  follower_count_->fetch_add(followers_.size(), std::memory_order_relaxed);
  handed_through_ = reported_through = last_pass_head_ = log().head();
}

void Feed::AddFollower(Subscription* subscription) {
  subscription->feed = this;
  subscription->follower_index = static_cast<uint32_t>(followers_.size());
  followers_.push_back(subscription);
  if (started()) follower_count_->fetch_add(1, std::memory_order_relaxed);
}

void Feed::RemoveFollower(Subscription* subscription) {
  Release(subscription);
  Subscription* last = followers_.back();
  followers_[subscription->follower_index] = last;
  last->follower_index = subscription->follower_index;
  followers_.pop_back();
  subscription->feed = nullptr;
  if (started()) follower_count_->fetch_sub(1, std::memory_order_relaxed);
}

uint64_t Feed::BeginPass() {
  const uint64_t head = log().head();
  if (passes_.size() == kMostOpenPasses) {
    for (Subscription* subscription : followers_) Release(subscription);
    HandedThrough();
  }
  const uint64_t number = first_pass_ + passes_.size();
  Pass& pass = passes_.emplace_back(Pass{.head = head, .waiting = 0});
  const bool first = GoesFirst();
  for (Subscription* subscription : followers_) {
    if (subscription->pending != nullptr || subscription->held) continue;
    if (subscription->next > head) continue;
    const bool catching_up =
        subscription->waited_from == 0 && subscription->next <= last_pass_head_;
    if (!subscription->session->blocked() && !catching_up) {
      ++pass.waiting;
      if (subscription->waited_from == 0) subscription->waited_from = number;
    }
    subscription->session->MarkReady(subscription, first);
  }
  return head - std::exchange(last_pass_head_, head);
}

void Feed::Release(Subscription* subscription) {
  if (subscription->waited_from == 0) return;
  for (size_t i = subscription->waited_from - first_pass_; i < passes_.size(); ++i) {
    assert(passes_[i].waiting > 0);
    --passes_[i].waiting;
  }
  subscription->waited_from = 0;
}

uint64_t Feed::HandedThrough() {
  while (!passes_.empty() && passes_.front().waiting == 0) {
    handed_through_ = passes_.front().head;
    passes_.pop_front();
    ++first_pass_;
  }
  return handed_through_;
}

}  // namespace crier
