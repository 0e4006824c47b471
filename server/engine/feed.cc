#include "server/engine/feed.h"

#include <cassert>
#include <utility>

#include "server/engine/feed_table.h"
#include "server/engine/session.h"

namespace crier {
namespace {

// A follower that is still behind after so many flushes is not keeping up: it counts as lagging.
constexpr size_t kMostOpenPasses = 64;

}  // namespace

Feed::Feed(std::string topic, const Encoding* encoding, const LogLimits& limits, uint64_t ticket,
           FeedTable* table)
    : topic_(std::move(topic)),
      encoding_(encoding),
      ticket_(ticket),
      table_(table),
      limits_(limits),
      replica_(limits) {}

void Feed::Start(const FeedStart& start) {
  assert(!started());
  epoch_ = start.epoch;
  home_log_ = start.home_log;
  if (home_log_ == nullptr) replica_.Apply(start.snapshot);
  follower_count_ = start.follower_count;
  follower_count_->sessions += followers_.size();
  handed_through_ = reported_through = last_pass_head_ = log().head();
}

void Feed::BeginAnew(const FeedStart& start) {
  assert(started());
  epoch_ = start.epoch;
  if (home_log_ == nullptr) {
    replica_ = EventLog(limits_);
    replica_.Apply(start.snapshot);
  }
  for (Cursor* cursor : followers_) cursor->waited_from = 0;
  first_pass_ += passes_.size();
  passes_.clear();
  handed_through_ = reported_through = last_pass_head_ = log().head();
}

void Feed::AddFollower(Cursor* cursor) {
  cursor->feed = this;
  cursor->follower_index = static_cast<uint32_t>(followers_.size());
  followers_.push_back(cursor);
  if (started()) ++follower_count_->sessions;
}

void Feed::RemoveFollower(Cursor* cursor) {
  Release(cursor);
  Cursor* last = followers_.back();
  followers_[cursor->follower_index] = last;
  last->follower_index = cursor->follower_index;
  followers_.pop_back();
  cursor->feed = nullptr;
  if (started()) --follower_count_->sessions;
}

uint64_t Feed::BeginPass() {
  const uint64_t head = log().head();
  if (passes_.size() == kMostOpenPasses) {
    for (Cursor* cursor : followers_) Release(cursor);
    HandedThrough();
  }
  const uint64_t number = first_pass_ + passes_.size();
  uint32_t waiting = 0;
  passes_.push_back({.head = head, .waiting = 0});
  const bool first = GoesFirst();
  for (Cursor* cursor : followers_) {
    if (cursor->state() != Cursor::State::kLive || cursor->next() > head) continue;
    const bool catching_up = cursor->waited_from == 0 && cursor->next() <= last_pass_head_;
    if (cursor->session().takes() && !catching_up) {
      ++waiting;
      if (cursor->waited_from == 0) cursor->waited_from = number;
    }
    cursor->session().MarkReady(cursor, first);
  }
  passes_.back().waiting = waiting;
  return head - std::exchange(last_pass_head_, head);
}

void Feed::Release(Cursor* cursor) {
  if (cursor->waited_from == 0) return;
  for (size_t i = cursor->waited_from - first_pass_; i < passes_.size(); ++i) {
    assert(passes_[i].waiting > 0);
    --passes_[i].waiting;
  }
  cursor->waited_from = 0;
  if (table_ != nullptr && passes_.front().waiting == 0) table_->ReportHanded(this);
}

uint64_t Feed::HandedThrough() {
  size_t over = 0;
  while (over < passes_.size() && passes_[over].waiting == 0)
    handed_through_ = passes_[over++].head;
  passes_.erase(passes_.begin(), passes_.begin() + static_cast<ptrdiff_t>(over));
  first_pass_ += over;
  return handed_through_;
}

}  // namespace crier
