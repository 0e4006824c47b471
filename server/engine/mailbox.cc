#include "server/engine/mailbox.h"

#include <algorithm>
#include <utility>

namespace crier {
namespace {

// `amount` less `taken`, at least 0 and at most `most`.
uint32_t Less(uint32_t amount, uint64_t taken, uint64_t most) {
  return static_cast<uint32_t>(std::min(amount - std::min<uint64_t>(amount, taken), most));
}

}  // namespace

Mailbox::Box& Mailbox::OpenBox() {
  if (box_ == nullptr) box_ = pool_.Take(next_ - 1);
  return *box_;
}

void Mailbox::CloseWhereEmpty() {
  if (next_ > box_->log.head()) pool_.Give(std::move(box_));
}

void Mailbox::AppendAnswer(std::string_view event, TimePoint at) {
  auto& [log, behind] = OpenBox();
  log.Append(event, at);
  const uint64_t events = log.head() + 1 - log.tail();
  behind.bytes = static_cast<uint32_t>(std::min(behind.bytes + event.size(), log.bytes()));
  behind.events = static_cast<uint32_t>(std::min(behind.events + uint64_t{1}, events));
}

void Mailbox::TakeThrough(uint64_t offset) {
  auto& [log, behind] = *box_;
  const uint64_t count = offset - next_ + 1;
  const size_t bytes = log.bytes();
  delivered_ += count;
  next_ = offset + 1;
  log.DropBefore(next_);
  if (behind.events != 0) {
    behind.bytes = Less(behind.bytes, bytes - log.bytes(), log.bytes());
    behind.events = Less(behind.events, count, log.head() + 1 - next_);
  }
  CloseWhereEmpty();
}

uint64_t Mailbox::SkipToTail() {
  const uint64_t skipped = box_->log.tail() - next_;
  next_ = box_->log.tail();
  CloseWhereEmpty();
  return skipped;
}

std::unique_ptr<Mailbox::Box> MailboxPool::Take(uint64_t base) {
  if (spare_.empty()) {
    return std::unique_ptr<Mailbox::Box>(new Mailbox::Box{.log = EventLog(limits_, base)});
  }
  std::unique_ptr<Mailbox::Box> box = std::move(spare_.back());
  spare_.pop_back();
  box->log.MoveTo(base);
  box->behind = {};
  return box;
}

void MailboxPool::Give(std::unique_ptr<Mailbox::Box> box) {
  if (spare_.size() < kMostSpare) spare_.push_back(std::move(box));
}

}  // namespace crier
