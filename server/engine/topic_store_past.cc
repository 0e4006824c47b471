// TopicStore: a topic's past, for who resumes and for who asks for history. What is not in its log,
// and is kept by what the nodes of a cluster share, comes from there.
#include <algorithm>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// A page of history; more is asked for page by page.
constexpr size_t kHistoryBytes = 1 << 20;
// Of a slice from what is shared: about as many events as one from the log has bytes for.
constexpr PastLimits kSliceLimits{.events = 256, .bytes = 64 << 10};

// The events in one chunk, in the canonical encoding.
HistoryRange RangeOf(PastEvents past, TimePoint now) {
  HistoryRange range;
  range.outcome = past.outcome;
  range.epoch = past.epoch;
  range.tail = past.tail;
  range.head = past.head;
  if (past.messages.empty()) return range;
  const LogSlice slice = SliceOf(CanonicalEncoding(), std::move(past.messages), now);
  const size_t bytes = slice.chunk->bytes_used();
  const char* const data = slice.chunk->data();
  range.events.push_back({.chunk = slice.chunk, .bytes = {data, bytes}});
  return range;
}

}  // namespace

// --- Slices.

void TopicStore::AskForSlice(size_t shard, SliceAskedMail question) {
  asked_slices_.push_back({.shard = shard, .question = std::move(question)});
  shard_.ScheduleFlush();
}

bool TopicStore::ServeSlices() {
  for (size_t i = 0; i < kSlicesPerFlush && !asked_slices_.empty(); ++i) {
    const AskedSlice asked = std::move(asked_slices_.front());
    asked_slices_.pop_front();
    ServeSlice(asked.shard, asked.question);
  }
  return !asked_slices_.empty();
}

void TopicStore::ServeSlice(size_t shard, const SliceAskedMail& question) {
  Topic* topic = Find(question.topic);
  // The session that asked may have left, and its encoding's log with it.
  if (topic == nullptr || !topic->FollowedIn(question.encoding)) return;
  if (question.from < topic->canonical().tail() && SharedBusOf(question.topic) != nullptr) {
    if (!topic->KeptSlice(question.encoding, question.from)) {
      return ServeOldSlice(shard, question);
    }
  }
  LogSlice slice = topic->Slice(question.encoding, question.from);
  if (std::find(sliced_.begin(), sliced_.end(), topic) == sliced_.end()) sliced_.push_back(topic);
  shard_.mail().Send(shard, SliceMail{.topic = question.topic,
                                      .from = question.from,
                                      .session = question.session,
                                      .first = slice.first,
                                      .last = slice.last,
                                      .slice = std::move(slice.chunk)});
}

void TopicStore::ServeOldSlice(size_t shard, SliceAskedMail question) {
  const std::string name = question.topic;
  SharedBusOf(name)->ReadPast(
      shard_, name, question.from, kSliceLimits,
      [this, shard, question = std::move(question)](PastEvents past) {
        Topic* topic = Find(question.topic);
        if (topic == nullptr || !topic->FollowedIn(question.encoding)) return;
        // Offset 0: a client that resumes wants to know whether its epoch, a later one than this
        // node's, is there. Where there is another one, the topic is about to begin anew here; an
        // earlier one, or none, says that what is shared has lost it.
        const bool another = question.from == 0 && past.epoch != topic->epoch();
        if (past.outcome != Outcome::kOk || another) {
          late_slices_.push_back({.shard = shard, .question = question});
          return;
        }
        SliceMail answer{.topic = question.topic,
                         .from = question.from,
                         .session = question.session,
                         .first = std::max(question.from, topic->canonical().tail()),
                         .last = 0,
                         .slice = {}};
        // Another epoch: its topic is about to begin anew, or nothing of it is left.
        if (past.epoch == topic->epoch() && !past.messages.empty()) {
          LogSlice slice =
              SliceOf(*question.encoding, std::move(past.messages), shard_.clock().Now());
          topic->KeepSlice(question.encoding, slice);
          if (std::find(sliced_.begin(), sliced_.end(), topic) == sliced_.end()) {
            sliced_.push_back(topic);
          }
          answer.first = slice.first;
          answer.last = slice.last;
          answer.slice = std::move(slice.chunk);
        }
        shard_.mail().Send(shard, std::move(answer));
      });
}

// --- History.

void TopicStore::AskForHistory(size_t from, HistoryQuestion question) {
  SharedBus* const bus = SharedBusOf(question.topic);
  if (bus == nullptr) {
    HistoryRange range = History(question);
    return shard_.mail().Send(from, HistoryMail{std::move(question.done), std::move(range)});
  }
  const PastLimits limits{.events = question.max_events, .bytes = kHistoryBytes};
  bus->ReadPast(shard_, question.topic, question.from, limits,
                [this, from, done = std::move(question.done)](PastEvents past) mutable {
                  HistoryRange range = RangeOf(std::move(past), shard_.clock().Now());
                  shard_.mail().Send(from, HistoryMail{std::move(done), std::move(range)});
                });
}

HistoryRange TopicStore::History(const HistoryQuestion& question) {
  HistoryRange range;
  const Topic* topic = Find(question.topic);
  if (topic == nullptr) return range;
  const EventLog& log = topic->canonical();
  range.epoch = topic->epoch();
  range.tail = log.tail();
  range.head = log.head();
  uint64_t next = std::max(question.from, log.tail());
  const uint64_t end = std::min(log.head() + 1, next + question.max_events);
  size_t bytes = 0;
  while (next < end && bytes < kHistoryBytes) {
    // One event at a time: a page is read seldom, and ends at an exact number.
    const EventRun run = log.Read(next, 0);
    HistoryRange::Run* const last = range.events.empty() ? nullptr : &range.events.back();
    if (last != nullptr && last->bytes.data() + last->bytes.size() == run.data) {
      last->bytes = {last->bytes.data(), last->bytes.size() + run.size};
    } else {
      run.chunk->Ref();
      range.events.push_back(
          {.chunk = ChunkPtr(const_cast<Chunk*>(run.chunk)), .bytes = {run.data, run.size}});
    }
    bytes += run.size;
    next = run.last + 1;
  }
  return range;
}

}  // namespace crier
