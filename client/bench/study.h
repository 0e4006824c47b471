// The study's load, user by user.
#ifndef CRIER_CLIENT_BENCH_STUDY_H_
#define CRIER_CLIENT_BENCH_STUDY_H_

#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <vector>

#include "client/bench/ledger.h"
#include "client/bench/study_schedule.h"
#include "client/bench/workload.h"

namespace crier::bench {

// Plays the three scenarios, including the parts that are hard for a server. A user that waits does
// not read, like a k6/ws handler that sleeps. A user that closes sends a close frame and leaves at
// once, with data unread. Observers read all the time. They check that they get every broadcast
// once and in order.
//
// Slots: the observers first, then each scenario's users.
class Study : public Workload {
 public:
  explicit Study(const BenchOptions& options);

  void OnOpen(uint32_t slot, int64_t connect_ns) override;
  void OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) override;
  void OnEnd(uint32_t slot, const SessionEnd& end) override;

 protected:
  absl::Status Execute(Report* report) override;
  void OnUnexpectedEnd(uint32_t slot, const SessionEnd& end) override;

 private:
  enum class Phase : uint8_t {
    kOff,     // No iteration.
    kBefore,  // Waits before it connects.
    kConnecting,
    kWaiting,    // Connected, waits, does not read.
    kListening,  // Connected, reads.
  };
  struct User {
    uint32_t scenario = 0;
    uint32_t index = 0;  // In its scenario, from 0.
    Phase phase = Phase::kOff;
    uint32_t turn = 0;      // Counts waits, so that old timers can be recognised.
    uint32_t sent = 0;      // In this session.
    uint32_t received = 0;  // In this session, of direct messages.
  };
  struct Timer {
    int64_t due;
    uint32_t user;
    uint32_t turn;
    bool operator>(const Timer& other) const { return due > other.due; }
  };
  struct Tally {
    uint64_t sessions = 0;
    uint64_t sent = 0;
    uint64_t received = 0;
    uint64_t completed = 0;
    uint64_t interrupted = 0;
    uint64_t failed_upgrades = 0;
    uint64_t ended_unexpectedly = 0;
    Histogram connect;
  };

  absl::Status StartObservers(Report* report);
  void Play();
  // Starts the iterations that the schedule wants, and interrupts those that are out of time.
  void Steer();
  void BeginIteration(uint32_t user);
  void Wait(uint32_t user);
  void WaitOver(uint32_t user);
  // The next step of a connected user whose wait is over.
  void NextDirect(uint32_t user);
  void NextBroadcast(uint32_t user);
  void Say(uint32_t user);
  // Ends the iteration, and its session if there is one. The next begins if the schedule wants it.
  void EndIteration(uint32_t user, bool completed);
  bool Wanted(const User& user) const;
  uint32_t SlotOf(uint32_t user) const { return observers_ + user; }
  User& UserOf(uint32_t slot) { return users_[slot - observers_]; }
  bool ObserversCaughtUp() const;
  void CheckObservers();
  void Describe(Report* report);
  void DescribeObservers(Report* report);

  const uint32_t observers_;
  const std::vector<StudyScenario> scenarios_;
  const uint32_t messages_;
  const int64_t wait_;
  std::vector<User> users_;
  std::vector<Tally> tallies_;
  std::vector<Ledger> ledgers_;  // One for each observer.
  std::vector<bool> observer_ended_;
  LedgerTotals observed_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  int64_t start_ = 0;
  int64_t now_ = 0;  // From there.
  uint64_t markers_ = 0;
  uint64_t head_ = 0;  // The highest offset that an observer saw.
  uint64_t base_ = 0;  // The same as the run began.
  uint64_t broadcasts_ = 0;
  uint64_t handled_ = 0;
  uint64_t errors_ = 0;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_STUDY_H_
