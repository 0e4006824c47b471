#include "server/engine/cursor.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace crier {

Cursor::Start& Cursor::EnsureStart() {
  if (starting_ == nullptr) starting_ = std::make_unique<Start>();
  return *starting_;
}

void Cursor::BeginAfter(uint64_t head) {
  assert(state_ == State::kStarting);
  next_ = head + 1;
  state_ = State::kLive;
}

void Cursor::Hold() {
  assert(state_ == State::kLive);
  state_ = State::kHeld;
}

void Cursor::LetGo() {
  assert(state_ == State::kHeld);
  state_ = State::kLive;
}

void Cursor::MoveTo(const v1::ResumePoint& point, uint64_t epoch, const EventLog& log,
                    uint64_t ahead) {
  // A client that has seen nothing yet (0) has no epoch to have missed.
  const bool same_epoch = point.epoch() == epoch || point.epoch() == 0;
  next_ = 1 + (same_epoch ? std::min(point.offset(), log.head() + ahead) : 0);
  delivered_ = 0;
  skipped_ = 0;
  state_ = State::kLive;
  replay_.reset();
  if (next_ < log.tail()) {
    state_ = State::kReplaying;
    replay_ = std::make_unique<Replay>();
  }
}

SkippedRange Cursor::SkipTo(uint64_t to, v1::GapReason reason) {
  assert(next_ <= to);
  const SkippedRange range{.first = next_, .last = to - 1, .reason = reason};
  skipped_ += range.count();
  next_ = to;
  return range;
}

void Cursor::SetSlice(ChunkPtr slice, uint64_t last) {
  assert(state_ == State::kReplaying);
  replay_->slice = next_ <= last ? std::move(slice) : ChunkPtr();
  replay_->last = last;
  replay_->asked = false;
}

EventRun Cursor::ReadReplay(const EventLog& log, uint64_t from, size_t budget) const {
  if (replay_->slice.get() != nullptr && from <= replay_->last) {
    return ReadChunk(*replay_->slice, from, replay_->last, budget);
  }
  return from < log.tail() ? EventRun{} : log.Read(from, budget);
}

}  // namespace crier
