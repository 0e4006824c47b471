#include "server/engine/mailbox.h"

#include <algorithm>

namespace crier {
namespace {

// `amount` less `taken`, at least 0 and at most `most`.
uint32_t Less(uint32_t amount, uint64_t taken, uint64_t most) {
  return static_cast<uint32_t>(std::min(amount - std::min<uint64_t>(amount, taken), most));
}

}  // namespace

void Mailbox::AppendAnswer(std::string_view event, TimePoint at) {
  log_.Append(event, at);
  const uint64_t events = log_.head() + 1 - log_.tail();
  behind_.bytes = static_cast<uint32_t>(std::min(behind_.bytes + event.size(), log_.bytes()));
  behind_.events = static_cast<uint32_t>(std::min(behind_.events + uint64_t{1}, events));
}

void Mailbox::TakeThrough(uint64_t offset) {
  const uint64_t count = offset - next_ + 1;
  const size_t bytes = log_.bytes();
  delivered_ += count;
  next_ = offset + 1;
  log_.DropBefore(next_);
  if (behind_.events == 0) return;
  behind_.bytes = Less(behind_.bytes, bytes - log_.bytes(), log_.bytes());
  behind_.events = Less(behind_.events, count, log_.head() + 1 - next_);
}

uint64_t Mailbox::SkipToTail() {
  const uint64_t skipped = log_.tail() - next_;
  next_ = log_.tail();
  return skipped;
}

}  // namespace crier
