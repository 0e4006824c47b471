// A topic's log, a replica of it on another shard, and cursors on both, against a simple model:
// every reader gets each event once, in order and with the very bytes that were appended, or is
// told that it was skipped; and the log keeps what its limits allow.
//
// The input is a list of steps (Fuzzer::Step).
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/engine/cursor.h"
#include "server/engine/event_log.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace crier;        // NOLINT: a program of one file
using namespace crier::fuzz;  // NOLINT

constexpr uint64_t kEpoch = 7;

// What a log has to keep, and what it was ever given.
class Model {
 public:
  struct Entry {
    std::string event;
    TimePoint at;
  };

  explicit Model(const LogLimits& limits) : limits_(limits) {}

  uint64_t head() const { return entries_.size(); }
  uint64_t tail() const { return tail_; }
  size_t bytes() const { return bytes_; }
  const Entry& at(uint64_t offset) const { return entries_[offset - 1]; }

  void Append(std::string event, TimePoint at) {
    bytes_ += event.size();
    entries_.push_back({std::move(event), at});
    while (tail_ < head() && (bytes_ > limits_.bytes || head() - tail_ + 1 > limits_.events)) {
      DropOldest();
    }
  }
  void ExpireBefore(TimePoint now) {
    while (tail_ <= head() && now - at(tail_).at > limits_.age) DropOldest();
  }
  void DropBefore(uint64_t offset) {
    while (tail_ < offset) DropOldest();
  }

 private:
  void DropOldest() { bytes_ -= at(tail_++).event.size(); }

  const LogLimits limits_;
  std::vector<Entry> entries_;
  uint64_t tail_ = 1;
  size_t bytes_ = 0;  // from tail_ on
};

class Fuzzer {
 public:
  explicit Fuzzer(FuzzInput input)
      : input_(input),
        limits_{.bytes = input_.Choose({100, 1000, 20'000, 1 << 20}),
                .events = input_.Choose({1, 3, 100, 10'000}),
                .age = std::chrono::seconds(60)} {}

  void Run() {
    for (int steps = 0; steps < 400 && !input_.empty(); ++steps) {
      Step();
      CheckLog();
    }
    Announce();
    for (Reader& reader : readers_) {
      while (ReadSome(&reader, 1 << 20)) {
      }
      Require(reader.cursor.next() == model_.head() + 1);
    }
  }

 private:
  // One that follows since its cursor has begun.
  struct Reader {
    bool of_replica = false;
    Cursor cursor{nullptr, v1::SKIP};
  };

  void Step() {
    switch (input_.Byte() % 10) {
      case 0:
      case 1:
      case 2:
        return Append(
            std::string(1 + input_.Byte() % 16, static_cast<char>('a' + input_.Byte() % 26)));
      case 3:
        return Append(std::string(input_.Choose({48, 150, 1000, 9000, 70'000}), 'L'));
      case 4:
        now_ += std::chrono::milliseconds(input_.Choose({1, 20'000, 61'000}));
        model_.ExpireBefore(now_);
        log_.ExpireBefore(now_);
        return;
      case 5:
        return DropSome();
      case 6:
        return Announce();
      case 7:
        return Follow();
      case 8:
        return Move();
      default:
        for (Reader& reader : readers_) ReadSome(&reader, input_.Choose({1, 100, 16'384}));
    }
  }

  void Append(std::string event) {
    // Each is different, so that no two can be taken for one another.
    event += std::to_string(model_.head() + 1);
    log_.Append(event, now_);
    model_.Append(std::move(event), now_);
  }

  void DropSome() {
    if (input_.Byte() % 2 == 0) {
      const uint64_t offset = model_.tail() + input_.Byte() % (model_.head() + 2 - model_.tail());
      log_.DropBefore(offset);
      return model_.DropBefore(offset);
    }
    // How much is the log's to say, within this.
    const uint64_t keep_from = model_.tail() + input_.Byte();
    const size_t memory = log_.memory();
    const uint64_t tail = log_.tail();
    log_.Shrink(keep_from);
    Require(tail <= log_.tail() && log_.tail() <= std::max(keep_from, tail));
    if (keep_from > model_.head()) Require(log_.memory() <= memory / 2);
    model_.DropBefore(log_.tail());
  }

  // As shards tell each other: the replica is behind until then.
  void Announce() {
    if (!has_replica_) return;
    replica_.Apply(log_.TakeDelta());
    Require(replica_.head() == log_.head() && replica_.tail() == log_.tail());
  }

  void Follow() {
    if (readers_.size() == 8) return;
    const bool of_replica = input_.Byte() % 2 != 0;
    if (of_replica && !has_replica_) {
      has_replica_ = true;
      log_.TakeDelta();
      replica_.Apply(log_.Snapshot());
    }
    readers_.emplace_back().of_replica = of_replica;
    readers_.back().cursor.BeginAfter(LogOf(readers_.back()).head());
  }

  // To a resume point.
  void Move() {
    if (readers_.empty()) return;
    Reader& reader = readers_.back();
    const EventLog& log = LogOf(reader);
    v1::ResumePoint point;
    point.set_epoch(input_.Choose({kEpoch, kEpoch, 0, 9}));
    point.set_offset(input_.Number() % (log.head() + 3));
    reader.cursor.MoveTo(point, kEpoch, log, /*ahead=*/0);
    Require(reader.cursor.next() >= 1 && reader.cursor.next() <= log.head() + 1);
    // What the log no longer has, nobody has here.
    if (reader.cursor.wants_slice()) Skip(&reader, log.tail());
  }

  // False: there was nothing.
  bool ReadSome(Reader* reader, size_t budget) {
    const EventLog& log = LogOf(*reader);
    Cursor& cursor = reader->cursor;
    if (cursor.lags(log)) Skip(reader, log.tail());
    if (!cursor.HasMore(log)) {
      Require(cursor.next() == log.head() + 1);
      return false;
    }
    const EventRun run = cursor.Read(log, cursor.next(), budget);
    Require(!run.empty() && run.first == cursor.next() && run.last >= run.first);
    Require(run.last == run.first || run.size <= budget);
    std::string_view bytes(run.data, run.size);
    for (uint64_t offset = run.first; offset <= run.last; ++offset) {
      const std::string& event = model_.at(offset).event;
      Require(bytes.starts_with(event));
      bytes.remove_prefix(event.size());
    }
    Require(bytes.empty());
    cursor.TakeThrough(run.last);
    return true;
  }

  void Skip(Reader* reader, uint64_t to) {
    const uint64_t from = reader->cursor.next();
    const uint64_t skipped = reader->cursor.skipped();
    const SkippedRange range = reader->cursor.SkipTo(to, v1::SLOW_CONSUMER);
    Require(range.first == from && range.last == to - 1);
    Require(reader->cursor.skipped() == skipped + (to - from));
    reader->cursor.EndReplayWhereReached(LogOf(*reader));
  }

  void CheckLog() {
    Require(log_.head() == model_.head() && log_.tail() == model_.tail());
    Require(log_.bytes() == model_.bytes());
    if (model_.tail() > model_.head()) return;
    for (const uint64_t offset : {model_.tail(), model_.head()}) {
      // The index counts microseconds.
      const auto off = model_.at(offset).at - log_.ReceivedAt(offset);
      Require(off >= Duration::zero() && off < std::chrono::microseconds(1));
    }
  }

  const EventLog& LogOf(const Reader& reader) const { return reader.of_replica ? replica_ : log_; }

  FuzzInput input_;
  const LogLimits limits_;
  TimePoint now_{std::chrono::hours(1)};
  Model model_{limits_};
  EventLog log_{limits_};
  EventLog replica_{limits_};
  bool has_replica_ = false;
  std::list<Reader> readers_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Fuzzer(FuzzInput(data, size)).Run();
  return 0;
}
