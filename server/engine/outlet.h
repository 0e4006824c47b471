// What a session owes its client: gaps, its mailbox, and its cursors' ranges of logs. Lent to the
// transport as one run of bytes; nothing is copied or queued here.
#ifndef CRIER_SERVER_ENGINE_OUTLET_H_
#define CRIER_SERVER_ENGINE_OUTLET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/engine/cursor.h"
#include "server/engine/encoding.h"
#include "server/engine/mailbox.h"
#include "server/engine/memory_budget.h"
#include "server/metrics/metrics.h"

namespace crier {

class Outlet;

// A run of encoded bytes. Valid until Outlet::Take, or until control returns to the shard's loop;
// who needs it longer takes a reference to the chunk. chunk == nullptr: the bytes are the session's
// own, and have to be copied to be kept.
struct Slice {
  const char* data;
  size_t size;
  const Chunk* chunk;
};

// What the last Peek lent out. A shard has one of these: sessions have their turns one after the
// other, and Take follows Peek with nothing of the same outlet in between.
struct Loan {
  enum class Source : uint8_t { kNotes, kMailbox, kTopic };
  struct Segment {
    Source source;
    Cursor* cursor;
    EventRun run;
  };
  const Outlet* of = nullptr;  // null: nobody's any more
  std::vector<Slice> slices;
  std::vector<Segment> segments;
  size_t bytes = 0;
  std::string cut_bytes;        // the rest of a cut event, where its own memory may be gone
  std::string encoded;          // scratch, for one event on its way into a mailbox
  std::vector<Cursor*> hungry;  // Outlet::hungry
  size_t lent_in_turns = 0;     // bytes lent since the shard's turns began
  uint64_t samples = 0;
};

// What all outlets of a shard share. All outlive them.
struct OutletContext {
  const Clock* clock;
  ShardMetrics* metrics;
  MemoryMeter* memory;
  Loan* loan;
  MailboxPool* mailboxes;
};

// Runs on: the session's shard thread, all of it.
class Outlet {
 public:
  // `encoding` lives for ever; `context` outlives the outlet.
  Outlet(const OutletContext* context, TransportKind kind, const Encoding* encoding);
  ~Outlet();
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;

  const Encoding* encoding() const { return encoding_; }
  ShardMetrics::PerTransport& metrics() const { return context_->metrics->of(kind_); }

  // --- What comes in.

  // Puts an event into the mailbox, in the place of older ones where memory is used up. `answer`:
  // to one of the session's own frames. False: this kind of session has no form for it.
  bool Deliver(const v1::Event& event, TimePoint at, bool answer);
  // Says that events will not come, before anything else.
  void NoteGap(const v1::Gap& gap);
  // The cursor has something to read.
  void AddReady(Cursor* cursor);
  // The cursor is about to go, or to be moved.
  void Remove(Cursor* cursor);

  // --- What goes out.

  bool has_pending() const { return notes_ != nullptr || !mailbox_.empty() || !ready_.empty(); }
  // A log's tail has passed a cursor, or the mailbox's.
  bool lags() const;
  // A log's tail has passed a cursor of those that are to be closed then, or the mailbox's where
  // `mailbox_closes`.
  bool Overrun(bool mailbox_closes) const;
  // Moves every cursor that a log's tail has passed to the tail, with a gap; where gaps wait to be
  // sent already, later. A cursor of a log of presence is held there, and is then hungry().
  void SkipWhatIsGone();
  // What comes next, at most about `budget` bytes of it (one event always fits). Empty: nothing.
  // What is behind a tail is not in it.
  std::span<const Slice> Peek(size_t budget);
  // The first `bytes` of what the last Peek returned were taken. Where that cuts an event in two,
  // returns the rest of that event, valid as long as a Slice. The event counts as delivered.
  // REQUIRES: nothing else was done with this outlet since that Peek.
  std::string_view Take(size_t bytes);
  // After Take: cursors that want their next slice. After SkipWhatIsGone: that want a snapshot.
  const std::vector<Cursor*>& hungry() const { return context_->loan->hungry; }
  // Takes nothing for now, or no more: no pass waits for its cursors.
  void ReleasePasses();

  // --- Facts.

  const Mailbox& mailbox() const { return mailbox_; }
  // What the session has not read of what its own frames gave rise to (Mailbox::Behind), and gaps.
  Mailbox::Behind behind() const;

 private:
  void Lend(Loan::Source source, Cursor* cursor, const EventRun& run);
  void AddRuns(Cursor* cursor, size_t budget);
  std::string_view TakeCut(const Loan::Segment& segment, size_t bytes);
  void Advance(Cursor* cursor, const EventRun& run, uint64_t last);
  void DropDrained();
  // Nothing that was lent may be taken any more.
  void Recall();
  void Account();

  const OutletContext* const context_;
  const Encoding* const encoding_;
  const TransportKind kind_;
  uint32_t accounted_ = 0;
  Mailbox mailbox_;
  // Encoded gaps; sent before anything else. Null: none.
  std::unique_ptr<std::string> notes_;
  // In the order of their turns.
  absl::InlinedVector<Cursor*, 1> ready_;
};

// What tells a client that events of the topic that `cursor` follows will not come.
v1::Gap GapOf(const Cursor& cursor, const SkippedRange& range);

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_OUTLET_H_
