// Session: what the client is owed, lent to the transport as ranges of logs.
#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/session.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

using Source = Shard::Segment::Source;

}  // namespace

bool Session::has_pending() const {
  if (closing_) return false;
  return !notes_.empty() || !mailbox_.empty() || !ready_.empty();
}

void Session::Deliver(const v1::Event& event, TimePoint at) {
  std::string& bytes = shard_->scratch_bytes();
  bytes.clear();
  encoding_->Append(event, &bytes);
  if (bytes.empty()) return;
  mailbox_.Append(bytes, at);
  EnqueueAnswered();
}

void Session::MarkReady(Subscription* subscription, bool first) {
  if (subscription->held) return;
  if (!std::exchange(subscription->ready, true)) ready_.push_back(subscription);
  if (first) {
    EnqueueAnswered();
  } else {
    EnqueueReady();
  }
}

void Session::EnqueueReady() {
  if (!blocked_ && !closing_ && !is_linked()) shard_->AddReady(this);
}

// Somebody waits for what is in the mailbox: it goes before what only a broadcast has made ready.
void Session::EnqueueAnswered() {
  if (blocked_ || closing_ || answered_) return;
  if (is_linked()) unlink();
  answered_ = true;
  shard_->AddAnswered(this);
}

void Session::Wake() {
  answered_ = false;
  transport_->Wake();
}

void Session::WakeLater() {
  if (has_pending()) EnqueueReady();
}

void Session::SetBlocked(bool blocked) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  if (blocked == blocked_) return;
  blocked_ = blocked;
  metrics().sessions_lagging.Add(blocked ? 1 : -1);
  if (!blocked) {
    WakeLater();
    return;
  }
  unlink();
  answered_ = false;
  for (Subscription* subscription : ready_) {
    subscription->feed->Release(subscription);
    shard_->ReportHanded(subscription->feed);
  }
}

void Session::CheckSlowConsumer() {
  if (!blocked_ || closing_) return;
  for (const Subscription* subscription : ready_) {
    if (subscription->policy == v1::CLOSE &&
        subscription->next < subscription->feed->log().tail()) {
      RequestClose(Outcome::kSlowConsumer, {});
      return;
    }
  }
  if (policy_ == v1::CLOSE && mailbox_.lagging()) RequestClose(Outcome::kSlowConsumer, {});
}

std::span<const Slice> Session::Peek(size_t budget) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  Shard::Lent& lent = shard_->lent();
  lent.slices.clear();
  lent.segments.clear();
  lent.bytes = 0;
  if (closing_) return {};
  if (notes_.empty()) SkipWhatIsGone();
  if (closing_) return {};

  if (!notes_.empty()) {
    lent.segments.push_back({.source = Source::kNotes, .subscription = nullptr, .run = {}});
    lent.slices.push_back({.data = notes_.data(), .size = notes_.size(), .chunk = nullptr});
    lent.bytes += notes_.size();
  }
  // A log whose tail has passed its cursor since the notes were written has to wait for its own.
  uint64_t next = mailbox_.lagging() ? mailbox_.log().head() + 1 : mailbox_.next();
  while (lent.bytes < budget && next <= mailbox_.log().head()) {
    const EventRun run = mailbox_.log().Read(next, budget - lent.bytes);
    lent.segments.push_back({.source = Source::kMailbox, .subscription = nullptr, .run = run});
    lent.slices.push_back({.data = run.data, .size = run.size, .chunk = run.chunk});
    lent.bytes += run.size;
    next = run.last + 1;
  }
  for (Subscription* subscription : ready_) {
    if (lent.bytes >= budget) break;
    if (subscription->next < subscription->feed->log().tail()) continue;
    AddRuns(subscription, budget);
  }
  return lent.slices;
}

void Session::AddRuns(Subscription* subscription, size_t budget) {
  Shard::Lent& lent = shard_->lent();
  const EventLog& log = subscription->feed->log();
  uint64_t next = subscription->next;
  while (lent.bytes < budget && next <= log.head()) {
    const EventRun run = log.Read(next, budget - lent.bytes);
    lent.segments.push_back({.source = Source::kTopic, .subscription = subscription, .run = run});
    lent.slices.push_back({.data = run.data, .size = run.size, .chunk = run.chunk});
    lent.bytes += run.size;
    next = run.last + 1;
  }
}

// Moves every cursor that its log's tail has passed to the tail, and notes the gap.
void Session::SkipWhatIsGone() {
  const auto slow = static_cast<size_t>(SkipKind::kSlowConsumer);
  if (mailbox_.lagging()) {
    if (policy_ == v1::CLOSE) return RequestClose(Outcome::kSlowConsumer, {});
    v1::Event event;
    v1::Gap& gap = *event.mutable_gap();
    gap.set_first(mailbox_.next());
    gap.set_last(mailbox_.log().tail() - 1);
    gap.set_reason(v1::SLOW_CONSUMER);
    gap.set_mailbox(true);
    encoding_->Append(event, &notes_);
    shard_->metrics().events_skipped[slow].Add(mailbox_.SkipToTail());
  }
  for (Subscription* subscription : ready_) {
    const uint64_t tail = subscription->feed->log().tail();
    if (subscription->next >= tail) continue;
    if (subscription->policy == v1::CLOSE) return RequestClose(Outcome::kSlowConsumer, {});
    NoteGap(v1::SLOW_CONSUMER, *subscription, subscription->next, tail - 1);
    const uint64_t skipped = tail - subscription->next;
    subscription->skipped += skipped;
    subscription->next = tail;
    shard_->metrics().events_skipped[slow].Add(skipped);
  }
}

std::string_view Session::Take(size_t bytes) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  Shard::Lent& lent = shard_->lent();
  assert(bytes <= lent.bytes);
  std::string_view rest;
  for (size_t i = 0; i < lent.segments.size() && (bytes > 0 || lent.slices[i].size == 0); ++i) {
    const size_t size = lent.slices[i].size;
    if (bytes < size) {
      rest = TakeCut(i, bytes);
      break;
    }
    bytes -= size;
    const Shard::Segment& segment = lent.segments[i];
    switch (segment.source) {
      case Source::kNotes:
        notes_.clear();
        notes_.shrink_to_fit();
        break;
      case Source::kMailbox:
      case Source::kTopic:
        Advance(segment.subscription, segment.run, segment.run.last);
        break;
    }
  }
  DropDrained();
  return rest;
}

// The transport took `bytes` of this segment and not the whole: counts the events it took, the one
// that is cut included, and returns what is left of that one.
std::string_view Session::TakeCut(size_t segment_index, size_t bytes) {
  Shard::Lent& lent = shard_->lent();
  const Shard::Segment& segment = lent.segments[segment_index];
  if (segment.source == Source::kNotes) {
    // Gaps are few and short: the transport keeps all that is left of them.
    lent.cut_bytes = notes_.substr(bytes);
    notes_.clear();
    return lent.cut_bytes;
  }
  const EventRun& run = segment.run;
  const Chunk& chunk = *run.chunk;
  const size_t first = run.first - chunk.first_offset();
  const size_t last = run.last - chunk.first_offset();
  const size_t position = chunk.begin_of(first) + bytes;
  const size_t cut = chunk.IndexEndingAtOrAfter(position, first, last);
  lent.cut_bytes.assign(chunk.data() + position, chunk.end_of(cut) - position);
  Advance(segment.subscription, run, chunk.first_offset() + cut);
  return lent.cut_bytes;
}

// Moves the cursor past `last`. A null subscription is the mailbox.
void Session::Advance(Subscription* subscription, const EventRun& run, uint64_t last) {
  const uint64_t count = last - run.first + 1;
  ShardMetrics::PerTransport& counted = metrics();
  counted.events_delivered.Add(count);
  if (shard_->SampleDelivery()) {
    const TimePoint received = run.chunk->received_at(run.first - run.chunk->first_offset());
    counted.delivery_seconds.Observe(Seconds(shard_->clock().Now() - received));
  }
  if (subscription == nullptr) {
    mailbox_.TakeThrough(last);
  } else {
    subscription->delivered += count;
    subscription->next = last + 1;
  }
}

// Takes subscriptions without anything left off the list; one that is left goes behind the others.
void Session::DropDrained() {
  bool rotated = false;
  for (size_t i = 0; i < ready_.size();) {
    Subscription* subscription = ready_[i];
    if (subscription->next > subscription->feed->log().head()) {
      subscription->ready = false;
      ready_.erase(ready_.begin() + static_cast<ptrdiff_t>(i));
      subscription->feed->Release(subscription);
      shard_->ReportHanded(subscription->feed);
      continue;
    }
    if (!std::exchange(rotated, true) && i == 0 && ready_.size() > 1) {
      std::rotate(ready_.begin(), ready_.begin() + 1, ready_.end());
      continue;
    }
    ++i;
  }
}

}  // namespace crier
