// Fan-out: every message goes to everyone.
#ifndef CRIER_CLIENT_BENCH_FANOUT_H_
#define CRIER_CLIENT_BENCH_FANOUT_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "client/bench/ledger.h"
#include "client/bench/workload.h"

namespace crier::bench {

// Clients follow a topic (or one of several, in turn). Some of them publish by the clock, and each
// keeps a ledger. Some may read slowly or not at all. They read the rest at the end, so that their
// ledgers are checked to the last event too. The latency is that of the other clients.
//
// Phases: connect; subscribe; markers, until everyone has seen one, which sets each ledger's start;
// the measured window; the drain, until every event is accounted for.
class Fanout : public Workload {
 public:
  explicit Fanout(const BenchOptions& options);

  void OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) override;

 protected:
  absl::Status Execute(Report* report) override;
  void OnUnexpectedEnd(uint32_t slot, const SessionEnd& end) override;

 private:
  enum Group : uint8_t { kHealthy, kSlow, kStalled, kGroups };
  static constexpr const char* kGroupNames[kGroups] = {"healthy", "slow", "stalled"};

  struct Receiver {
    Ledger ledger;
    uint32_t topic = 0;
    Group group = kHealthy;
    bool ended = false;
  };
  struct Topic {
    uint32_t publisher = 0;     // If each topic has its own.
    uint64_t followers = 0;     // The connected followers.
    uint64_t settled = 0;       // Followers who have seen the head, before the window.
    uint64_t markers = 0;       // Sent before the window.
    uint64_t markers_seen = 0;  // The newest that its sender has seen.
    uint64_t head = 0;          // The highest offset anyone has seen.
    uint64_t base = 0;          // The head as the window began.
    uint64_t sent = 0;          // In the window.
  };

  absl::Status Start();
  // True if every follower has seen the newest marker.
  bool Settled(const Topic& topic) const;
  bool Settled() const;
  absl::Status NotSettled() const;
  // Stops waiting for this client.
  void Forget(Receiver* receiver);
  void CountMarker(uint32_t slot, const Delivery& delivery, Topic* topic);
  void Measure();
  void Publish(int64_t due);
  void FeedSlow(int64_t now);
  void Drain();
  // The offset that every follower of the topic has to reach.
  uint64_t Target(const Topic& topic) const;
  // True for a client whose ledger need not reach the target: it took nothing, and the server may
  // end such a session.
  static bool Excused(const Receiver& receiver) {
    return receiver.group == kStalled && receiver.ended;
  }
  uint64_t Expected(Group group) const;
  // True if every connected client of the group has reached its target.
  bool Complete(Group group) const;
  void Describe(Report* report);
  void DescribeGroup(Group group, Report* report);

  std::vector<std::string> topic_names_;
  std::vector<Topic> topics_;
  std::vector<Receiver> receivers_;
  std::array<LedgerTotals, kGroups> totals_;
  std::array<uint64_t, kGroups> ended_ = {};
  bool measuring_ = false;
  uint64_t published_ = 0;
  uint64_t publishers_ = 1;
  uint64_t foreign_ = 0;  // Events of topics that do not belong to this run.
  uint64_t errors_ = 0;
  uint64_t window_deliveries_ = 0;
  int64_t next_feed_ = 0;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_FANOUT_H_
