#include "server/engine/mailbox.h"

namespace crier {

void Mailbox::TakeThrough(uint64_t offset) {
  delivered_ += offset - next_ + 1;
  next_ = offset + 1;
  log_.DropBefore(next_);
}

uint64_t Mailbox::SkipToTail() {
  const uint64_t skipped = log_.tail() - next_;
  next_ = log_.tail();
  skipped_ += skipped;
  return skipped;
}

}  // namespace crier
