#include "client/bench/storm.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace crier::bench {

Storm::Storm(const BenchOptions& options)
    : Workload(options, static_cast<uint32_t>(options.clients), {""}), sent_(options.clients) {
  for (uint32_t slot = 0; slot < options.clients; ++slot) again_.push_back(slot);
}

absl::Status Storm::Execute(Report* report) {
  const int64_t begin = NowNs();
  const int64_t end = begin + absl::ToInt64Nanoseconds(options().duration);
  if (absl::Status status = meter().Begin(begin); !status.ok()) return status;
  const double interval = options().rate > 0 ? 1e9 / options().rate : 0;
  int64_t due = begin;
  for (int64_t now = begin; now < end; now = NowNs()) {
    for (; due <= now && !again_.empty(); again_.pop_back()) {
      swarm().Open(again_.back());
      due = begin + static_cast<int64_t>(interval * static_cast<double>(++begun_));
    }
    meter().Tick(now);
    // If all are busy, wait for an answer.
    const int64_t next = again_.empty() ? end : due;
    swarm().Poll(std::min({end, next, meter().next_tick()}));
    if (opened() == 0 && failed_to_open() > 0) {
      return absl::UnavailableError("no client could connect");
    }
  }
  meter().End(NowNs());
  // Running sessions finish too: a session that ends in the middle would look like a failure to the
  // server.
  PollUntil(NowNs() + absl::ToInt64Nanoseconds(options().drain),
            [this] { return again_.size() == sent_.size(); });
  report->Count("clients", "clients at a time", sent_.size());
  meter().Describe("session", completed_, report);
  report->Count("completed", "sessions completed", completed_);
  report->Real("sessions_per_second", "sessions per second",
               static_cast<double>(completed_) / meter().seconds(), 0);
  DescribeSessions(report);
  if (completed_ == 0) report->Fail("no session was completed");
  return absl::OkStatus();
}

void Storm::OnOpen(uint32_t slot, int64_t connect_ns) {
  Workload::OnOpen(slot, connect_ns);
  sent_[slot] = NowNs();
  swarm().Broadcast(slot, 0, Body(sent_[slot]));
  meter().Sent();
}

void Storm::OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) {
  if (delivery.kind != DeliveryKind::kBroadcast || delivery.stamp != sent_[slot]) return;
  meter().Received(now - delivery.stamp);
  ++completed_;
  Leave(slot, 1000);
  again_.push_back(slot);
}

void Storm::OnEnd(uint32_t slot, const SessionEnd& end) {
  Workload::OnEnd(slot, end);
  again_.push_back(slot);
}

}  // namespace crier::bench
