#include "client/bench/ledger.h"

namespace crier::bench {

void Ledger::ReceiveOther(uint64_t epoch, uint64_t offset, LedgerTotals* totals) {
  if (next_ == 0 || epoch != epoch_) {
    if (next_ != 0) ++totals->new_epochs;
    holes_.reset();
    epoch_ = epoch;
    next_ = offset + 1;
    ++totals->received;
    return;
  }
  if (offset > next_) {
    Miss(next_, offset - 1, totals);
    next_ = offset + 1;
    ++totals->received;
  } else if (Fill(offset)) {
    --totals->lost;
    ++totals->out_of_order;
    ++totals->received;
  } else {
    ++totals->duplicate;
  }
}

void Ledger::Gap(uint64_t epoch, uint64_t first, uint64_t last, LedgerTotals* totals) {
  ++totals->gaps;
  if (next_ == 0) {
    epoch_ = epoch;
    next_ = last + 1;
    return;
  }
  if (epoch != epoch_ || first < next_ || last < first) {
    ++totals->wrong_gaps;
    return;
  }
  if (first > next_) Miss(next_, first - 1, totals);
  totals->skipped += last - first + 1;
  next_ = last + 1;
}

void Ledger::Finish(uint64_t last, LedgerTotals* totals) {
  if (next_ == 0 || last < next_) return;
  Miss(next_, last, totals);
  next_ = last + 1;
}

void Ledger::Miss(uint64_t first, uint64_t last, LedgerTotals* totals) {
  totals->lost += last - first + 1;
  if (holes_ == nullptr) holes_ = std::make_unique<std::map<uint64_t, uint64_t>>();
  (*holes_)[first] = last;
}

bool Ledger::Fill(uint64_t offset) {
  if (holes_ == nullptr) return false;
  auto hole = holes_->upper_bound(offset);
  if (hole == holes_->begin()) return false;
  --hole;
  const uint64_t first = hole->first;
  const uint64_t last = hole->second;
  if (offset > last) return false;
  holes_->erase(hole);
  if (first < offset) (*holes_)[first] = offset - 1;
  if (offset < last) (*holes_)[offset + 1] = last;
  return true;
}

}  // namespace crier::bench
