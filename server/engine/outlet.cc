#include "server/engine/outlet.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/feed.h"
#include "server/engine/presence_log.h"

namespace crier {
namespace {

using Source = Loan::Source;

constexpr uint64_t kDeliverySamples = 16;
constexpr auto kSlow = static_cast<size_t>(SkipKind::kSlowConsumer);
// What waits in a mailbox although memory is used up: the answers of one burst, so that a session
// that keeps up gets them all. The newest event, which waits in any case, may be far longer.
constexpr size_t kAlwaysBytes = 4 << 10;

}  // namespace

Outlet::Outlet(const OutletContext* context, TransportKind kind, const Encoding* encoding)
    : context_(context), encoding_(encoding), kind_(kind), mailbox_(context->mailboxes) {}

Outlet::~Outlet() {
  Recall();
  context_->memory->Add(MemoryKind::kMailboxes, -int64_t{accounted_});
}

// --- What comes in.

bool Outlet::Deliver(const v1::Event& event, TimePoint at, bool answer) {
  Recall();
  std::string& bytes = context_->loan->encoded;
  bytes.clear();
  encoding_->Append(event, &bytes);
  if (bytes.empty()) return false;
  if (context_->memory->full() && mailbox_.bytes() > kAlwaysBytes) mailbox_.GiveWay();
  if (answer) {
    mailbox_.AppendAnswer(bytes, at);
  } else {
    mailbox_.Append(bytes, at);
  }
  Account();
  return true;
}

Mailbox::Behind Outlet::behind() const {
  Mailbox::Behind behind = mailbox_.behind();
  if (notes_ != nullptr) behind.bytes += static_cast<uint32_t>(notes_->size());
  return behind;
}

void Outlet::NoteGap(const v1::Gap& gap) {
  Recall();
  v1::Event event;
  *event.mutable_gap() = gap;
  if (notes_ == nullptr) notes_ = std::make_unique<std::string>();
  encoding_->Append(event, notes_.get());
  if (notes_->empty()) notes_.reset();
  Account();
}

void Outlet::AddReady(Cursor* cursor) {
  if (std::exchange(cursor->ready, true)) return;
  Recall();
  ready_.push_back(cursor);
}

void Outlet::Remove(Cursor* cursor) {
  if (!std::exchange(cursor->ready, false)) return;
  Recall();
  ready_.erase(std::find(ready_.begin(), ready_.end(), cursor));
}

// --- What goes out.

bool Outlet::lags() const {
  if (mailbox_.lagging()) return true;
  for (const Cursor* cursor : ready_) {
    if (cursor->lags(cursor->feed->log())) return true;
  }
  return false;
}

bool Outlet::Overrun(bool mailbox_closes) const {
  if (mailbox_closes && mailbox_.lagging()) return true;
  return std::any_of(ready_.begin(), ready_.end(), [](const Cursor* cursor) {
    return cursor->policy() == v1::CLOSE && cursor->lags(cursor->feed->log());
  });
}

std::span<const Slice> Outlet::Peek(size_t budget) {
  Loan& loan = *context_->loan;
  loan.slices.clear();
  loan.segments.clear();
  loan.bytes = 0;
  loan.of = this;
  if (notes_ != nullptr) {
    loan.segments.push_back({.source = Source::kNotes, .cursor = nullptr, .run = {}});
    loan.slices.push_back({.data = notes_->data(), .size = notes_->size(), .chunk = nullptr});
    loan.bytes += notes_->size();
  }
  // A log whose tail has passed its cursor since the notes were written has to wait for its own.
  if (!mailbox_.empty() && !mailbox_.lagging()) {
    uint64_t next = mailbox_.next();
    while (loan.bytes < budget && next <= mailbox_.head()) {
      const EventRun run = mailbox_.Read(next, budget - loan.bytes);
      Lend(Source::kMailbox, nullptr, run);
      next = run.last + 1;
    }
  }
  for (Cursor* cursor : ready_) {
    if (loan.bytes >= budget) break;
    AddRuns(cursor, budget);
  }
  loan.lent_in_turns += loan.bytes;
  return loan.slices;
}

void Outlet::Lend(Source source, Cursor* cursor, const EventRun& run) {
  Loan& loan = *context_->loan;
  assert(run.size > 0);
  loan.segments.push_back({.source = source, .cursor = cursor, .run = run});
  loan.slices.push_back({.data = run.data, .size = run.size, .chunk = run.chunk});
  loan.bytes += run.size;
}

void Outlet::AddRuns(Cursor* cursor, size_t budget) {
  const EventLog& log = cursor->feed->log();
  const uint64_t head = log.head();
  uint64_t next = cursor->next();
  do {
    const EventRun run = cursor->Read(log, next, budget - context_->loan->bytes);
    if (run.empty()) return;
    Lend(Source::kTopic, cursor, run);
    next = run.last + 1;
  } while (next <= head && context_->loan->bytes < budget);
}

void Outlet::SkipWhatIsGone() {
  context_->loan->hungry.clear();
  if (notes_ != nullptr) return;
  Counter& skipped = context_->metrics->events_skipped[kSlow];
  if (mailbox_.lagging()) {
    v1::Gap gap;
    gap.set_first(mailbox_.next());
    gap.set_last(mailbox_.tail() - 1);
    gap.set_reason(v1::SLOW_CONSUMER);
    gap.set_mailbox(true);
    skipped.Add(mailbox_.SkipToTail());
    NoteGap(gap);
  }
  const auto held = std::remove_if(ready_.begin(), ready_.end(), [&](Cursor* cursor) {
    const EventLog& log = cursor->feed->log();
    if (!cursor->lags(log)) return false;
    const SkippedRange range = cursor->SkipTo(log.tail(), v1::SLOW_CONSUMER);
    skipped.Add(range.count());
    NoteGap(GapOf(*cursor, range));
    if (!IsPresenceLog(cursor->feed->topic())) return false;
    // Without those changes, further ones mean nothing.
    cursor->feed->Release(cursor);
    cursor->Hold();
    cursor->ready = false;
    context_->loan->hungry.push_back(cursor);
    return true;
  });
  // Not erase: used twice, it is a call wherever it is used, on the path of each delivery too.
  while (ready_.end() != held) ready_.pop_back();
}

std::string_view Outlet::Take(size_t bytes) {
  Loan& loan = *context_->loan;
  assert(loan.of == this && bytes <= loan.bytes);
  loan.of = nullptr;
  loan.hungry.clear();
  std::string_view rest;
  for (size_t i = 0; i < loan.segments.size() && bytes > 0; ++i) {
    const Loan::Segment& segment = loan.segments[i];
    const size_t size = loan.slices[i].size;
    if (bytes < size) {
      rest = TakeCut(segment, bytes);
      break;
    }
    bytes -= size;
    if (segment.source == Source::kNotes) {
      notes_.reset();
    } else {
      Advance(segment.cursor, segment.run, segment.run.last);
    }
  }
  DropDrained();
  if (accounted_ != 0) Account();
  return rest;
}

// The transport took `bytes` of this segment and not the whole: counts the events it took, the one
// that is cut included, and returns what is left of that one.
std::string_view Outlet::TakeCut(const Loan::Segment& segment, size_t bytes) {
  std::string& cut_bytes = context_->loan->cut_bytes;
  if (segment.source == Source::kNotes) {
    // Gaps are few and short: the transport keeps all that is left of them.
    cut_bytes = notes_->substr(bytes);
    notes_.reset();
    return cut_bytes;
  }
  const EventRun& run = segment.run;
  const Chunk& chunk = *run.chunk;
  const size_t first = run.first - chunk.first_offset();
  const size_t last = run.last - chunk.first_offset();
  const size_t position = chunk.begin_of(first) + bytes;
  const size_t cut = chunk.IndexEndingAtOrAfter(position, first, last);
  cut_bytes.assign(chunk.data() + position, chunk.end_of(cut) - position);
  Advance(segment.cursor, run, chunk.first_offset() + cut);
  return cut_bytes;
}

// Moves the cursor past `last`. A null cursor is the mailbox.
void Outlet::Advance(Cursor* cursor, const EventRun& run, uint64_t last) {
  metrics().events_delivered.Add(last - run.first + 1);
  if (++context_->loan->samples % kDeliverySamples == 0) {
    const TimePoint received = run.chunk->received_at(run.first - run.chunk->first_offset());
    metrics().delivery_seconds.Observe(Seconds(context_->clock->Now() - received));
  }
  if (cursor == nullptr) {
    mailbox_.TakeThrough(last);
  } else {
    cursor->TakeThrough(last);
  }
}

// Takes cursors without anything left off the list; one that has something goes behind the others.
void Outlet::DropDrained() {
  bool rotated = false;
  for (size_t i = 0; i < ready_.size();) {
    Cursor* cursor = ready_[i];
    const EventLog& log = cursor->feed->log();
    cursor->EndReplayWhereReached(log);
    if (!cursor->HasMore(log)) {
      cursor->ready = false;
      ready_.erase(ready_.begin() + static_cast<ptrdiff_t>(i));
      cursor->feed->Release(cursor);
      if (cursor->wants_slice()) context_->loan->hungry.push_back(cursor);
      continue;
    }
    if (!std::exchange(rotated, true) && i == 0 && ready_.size() > 1) {
      std::rotate(ready_.begin(), ready_.begin() + 1, ready_.end());
      continue;
    }
    ++i;
  }
}

void Outlet::ReleasePasses() {
  for (Cursor* cursor : ready_) cursor->feed->Release(cursor);
}

void Outlet::Recall() {
  if (context_->loan->of == this) context_->loan->of = nullptr;
}

void Outlet::Account() {
  const auto kept =
      static_cast<uint32_t>(mailbox_.memory() + (notes_ == nullptr ? 0 : notes_->capacity()));
  if (kept == accounted_) return;
  context_->memory->Add(MemoryKind::kMailboxes, int64_t{kept} - accounted_);
  accounted_ = kept;
}

v1::Gap GapOf(const Cursor& cursor, const SkippedRange& range) {
  v1::Gap gap;
  gap.set_topic(std::string(TopicOf(cursor.feed->topic())));
  gap.set_presence(IsPresenceLog(cursor.feed->topic()));
  gap.set_epoch(cursor.feed->epoch());
  gap.set_first(range.first);
  gap.set_last(range.last);
  gap.set_reason(range.reason);
  return gap;
}

}  // namespace crier
