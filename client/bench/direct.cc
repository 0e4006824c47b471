#include "client/bench/direct.h"

#include <algorithm>

#include "client/text.h"

namespace crier::bench {

Direct::Direct(const BenchOptions& options)
    : Workload(options, static_cast<uint32_t>(options.clients), {""}), peers_(options.clients) {}

absl::Status Direct::Execute(Report* report) {
  if (absl::Status status = ConnectAll(static_cast<uint32_t>(peers_.size()), report);
      !status.ok()) {
    return status;
  }
  if (absl::Status status = meter().Begin(NowNs()); !status.ok()) return status;
  Measure();
  meter().End(NowNs());
  const int64_t deadline = NowNs() + absl::ToInt64Nanoseconds(options().drain);
  PollUntil(deadline, [this] { return outstanding_ == 0; });
  Describe(report);
  return absl::OkStatus();
}

void Direct::SendFrom(uint32_t slot, int64_t stamp) {
  Peer& peer = peers_[slot];
  // Each stamp is used once, so that it identifies a message.
  stamp = std::max(stamp, peer.last_sent + 1);
  peer.last_sent = stamp;
  swarm().Direct(slot, Body(stamp));
  ++peer.outstanding;
  ++outstanding_;
  meter().Sent();
}

void Direct::Measure() {
  const int64_t begin = NowNs();
  const int64_t end = begin + absl::ToInt64Nanoseconds(options().duration);
  const bool closed_loop = options().rate == 0;
  sending_ = closed_loop;
  if (closed_loop) {
    for (uint32_t slot = 0; slot < peers_.size(); ++slot) {
      for (uint64_t i = 0; i < options().inflight; ++i) SendFrom(slot, NowNs());
    }
  }
  const double interval = closed_loop ? 0 : 1e9 / options().rate;
  uint64_t sent = 0;
  int64_t due = closed_loop ? end : begin;
  for (int64_t now = begin; now < end; now = NowNs()) {
    for (int burst = 0; due <= now && due < end && burst < 64; ++burst) {
      meter().Late(NowNs() - due);
      SendFrom(static_cast<uint32_t>(sent++ % peers_.size()), due);
      due = begin + static_cast<int64_t>(interval * static_cast<double>(sent));
    }
    meter().Tick(now);
    swarm().Poll(std::min({due, end, meter().next_tick()}));
  }
  sending_ = false;
}

void Direct::OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) {
  Peer& peer = peers_[slot];
  if (delivery.kind == DeliveryKind::kDirect) {
    if (delivery.stamp <= peer.last_received || delivery.stamp > peer.last_sent ||
        peer.outstanding == 0) {
      ++misordered_;
      return;
    }
    peer.last_received = delivery.stamp;
    --peer.outstanding;
    --outstanding_;
    meter().Received(now - delivery.stamp);
    if (sending_) SendFrom(slot, NowNs());
  } else if (delivery.kind == DeliveryKind::kGap && delivery.mailbox) {
    const uint64_t missing = std::min(delivery.last - delivery.first + 1, peer.outstanding);
    skipped_ += missing;
    peer.outstanding -= missing;
    outstanding_ -= missing;
  } else if (delivery.kind == DeliveryKind::kError) {
    ++errors_;
    Blame(Concat("error ", delivery.outcome, ": ", delivery.text));
  }
}

void Direct::Describe(Report* report) {
  report->Count("clients", "clients", peers_.size());
  if (options().rate == 0) report->Count("inflight", "in flight per client", options().inflight);
  meter().Describe("round trip", meter().received(), report);
  report->Count("skipped", "skipped, named by gaps", skipped_);
  report->Count("lost", "lost", outstanding_);
  report->Count("misordered", "twice or out of order", misordered_);
  report->Count("errors", errors_ == 0 ? "" : "errors from the server", errors_);
  DescribeSessions(report);
  if (outstanding_ > 0) report->Fail(Concat(outstanding_, " messages did not come back"));
  if (misordered_ > 0) {
    report->Fail(Concat(misordered_, " messages came back twice or out of order"));
  }
  if (errors_ > 0) report->Fail(Concat("the server answered with ", errors_, " errors"));
}

}  // namespace crier::bench
