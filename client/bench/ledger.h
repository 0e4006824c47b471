// Checks the events of one topic that one receiver gets, to the last event.
#ifndef CRIER_CLIENT_BENCH_LEDGER_H_
#define CRIER_CLIENT_BENCH_LEDGER_H_

#include <cstdint>
#include <map>
#include <memory>

namespace crier::bench {

// Sums over all receivers.
struct LedgerTotals {
  uint64_t received = 0;      // Events, each once per receiver.
  uint64_t lost = 0;          // Neither received nor named by a gap.
  uint64_t duplicate = 0;     // Received again, or received although a gap had named it.
  uint64_t out_of_order = 0;  // Received after a later one.
  uint64_t gaps = 0;          // Gap events.
  uint64_t skipped = 0;       // Events that gaps named.
  uint64_t wrong_gaps = 0;    // Gaps that name what had come already, or of another epoch.
  uint64_t new_epochs = 0;    // The log started a new life during the run.

  bool clean() const {
    return lost == 0 && duplicate == 0 && out_of_order == 0 && wrong_gaps == 0 && new_epochs == 0;
  }
};

// A topic's events have offsets without holes, and each receiver sees them in that order. So only
// the next expected offset has to be kept, and any other offset is an error. The first event sets
// the start. Takes 24 bytes if there is no error.
class Ledger {
 public:
  void Receive(uint64_t epoch, uint64_t offset, LedgerTotals* totals) {
    if (offset == next_ && epoch == epoch_) {
      ++next_;
      ++totals->received;
      return;
    }
    ReceiveOther(epoch, offset, totals);
  }
  void Gap(uint64_t epoch, uint64_t first, uint64_t last, LedgerTotals* totals);

  // Counts as lost what this receiver still lacks up to `last`, the topic's last offset.
  void Finish(uint64_t last, LedgerTotals* totals);

  bool started() const { return next_ != 0; }
  // The next offset expected; 0 before the first event.
  uint64_t next() const { return next_; }
  uint64_t epoch() const { return epoch_; }

 private:
  void ReceiveOther(uint64_t epoch, uint64_t offset, LedgerTotals* totals);
  void Miss(uint64_t first, uint64_t last, LedgerTotals* totals);
  // Removes `offset` from the holes. False: it is in none.
  bool Fill(uint64_t offset);

  uint64_t epoch_ = 0;
  uint64_t next_ = 0;
  // Missing ranges, first to last; made only when something is missing.
  std::unique_ptr<std::map<uint64_t, uint64_t>> holes_;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_LEDGER_H_
