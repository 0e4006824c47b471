#include "client/bench/study.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "client/text.h"

namespace crier::bench {
namespace {

constexpr int64_t kWait = 700 * kMillisecond;
constexpr int64_t kStep = 10 * kMillisecond;
constexpr uint32_t kDirectMessages = 3;
// The close code of k6/ws if the script names none.
constexpr uint16_t kGoingAway = 1001;
constexpr int64_t kMarkerTimeout = 10 * kSecond;

uint32_t UserCount(const BenchOptions& options) {
  uint32_t count = 0;
  for (const StudyScenario& scenario : StudyScenarios(options.scale_time, options.scale_users)) {
    count += scenario.users.max_users();
  }
  return count;
}

}  // namespace

Study::Study(const BenchOptions& options)
    : Workload(options, static_cast<uint32_t>(options.observers) + UserCount(options), {""}),
      observers_(static_cast<uint32_t>(options.observers)),
      scenarios_(StudyScenarios(options.scale_time, options.scale_users)),
      messages_(static_cast<uint32_t>(options.messages)),
      wait_(static_cast<int64_t>(kWait * options.scale_waits)),
      tallies_(scenarios_.size()),
      ledgers_(observers_),
      observer_ended_(observers_) {
  for (uint32_t scenario = 0; scenario < scenarios_.size(); ++scenario) {
    for (uint32_t index = 0; index < scenarios_[scenario].users.max_users(); ++index) {
      User user;
      user.scenario = scenario;
      user.index = index;
      users_.push_back(user);
    }
  }
}

absl::Status Study::Execute(Report* report) {
  if (observers_ > 0) {
    if (absl::Status status = StartObservers(report); !status.ok()) return status;
  }
  if (absl::Status status = meter().Begin(NowNs()); !status.ok()) return status;
  Play();
  PollUntil(NowNs() + absl::ToInt64Nanoseconds(options().drain),
            [this] { return ObserversCaughtUp(); });
  meter().End(NowNs());
  CheckObservers();
  Describe(report);
  return absl::OkStatus();
}

absl::Status Study::StartObservers(Report* report) {
  if (absl::Status status = ConnectAll(observers_, report); !status.ok()) return status;
  const int64_t deadline = NowNs() + kMarkerTimeout;
  const auto settled = [this] {
    return markers_ > 0 && observed_.received >= markers_ * observers_ &&
           std::all_of(ledgers_.begin(), ledgers_.end(),
                       [this](const Ledger& ledger) { return ledger.next() == head_ + 1; });
  };
  // One marker is enough, because every connected client follows the empty topic.
  ++markers_;
  swarm().Broadcast(0, 0, "marker");
  if (!PollUntil(deadline, settled)) {
    return absl::DeadlineExceededError("the observers did not see a first broadcast within 10 s");
  }
  observed_ = LedgerTotals();
  base_ = head_;
  return absl::OkStatus();
}

void Study::Play() {
  start_ = NowNs();
  int64_t end = 0;
  for (const StudyScenario& scenario : scenarios_) {
    end = std::max(end, scenario.end() + scenario.graceful_stop);
  }
  int64_t next_step = start_;
  while (now_ < end) {
    const int64_t time = NowNs();
    now_ = time - start_;
    if (time >= next_step) {
      Steer();
      next_step = time + kStep;
    }
    while (!timers_.empty() && timers_.top().due <= time) {
      const Timer timer = timers_.top();
      timers_.pop();
      if (users_[timer.user].turn == timer.turn) WaitOver(timer.user);
    }
    const auto active = std::count_if(users_.begin(), users_.end(),
                                      [](const User& user) { return user.phase != Phase::kOff; });
    meter().Tick(time, Concat("users ", active));
    if (active == 0 && now_ >= scenarios_.back().end()) break;
    int64_t wake = std::min(next_step, meter().next_tick());
    if (!timers_.empty()) wake = std::min(wake, timers_.top().due);
    swarm().Poll(wake);
  }
}

bool Study::Wanted(const User& user) const {
  const StudyScenario& scenario = scenarios_[user.scenario];
  return user.index < scenario.users.ActiveAt(now_ - scenario.start);
}

void Study::Steer() {
  for (uint32_t i = 0; i < users_.size(); ++i) {
    User& user = users_[i];
    const StudyScenario& scenario = scenarios_[user.scenario];
    if (user.phase == Phase::kOff) {
      if (Wanted(user)) BeginIteration(i);
    } else if (now_ >= scenario.end() + scenario.graceful_stop) {
      EndIteration(i, /*completed=*/false);
    }
  }
}

void Study::BeginIteration(uint32_t user) {
  users_[user].phase = Phase::kBefore;
  users_[user].sent = 0;
  users_[user].received = 0;
  Wait(user);
}

void Study::Wait(uint32_t user) { timers_.push(Timer{NowNs() + wait_, user, ++users_[user].turn}); }

void Study::WaitOver(uint32_t index) {
  User& user = users_[index];
  if (user.phase == Phase::kBefore) {
    user.phase = Phase::kConnecting;
    swarm().Open(SlotOf(index));
  } else if (user.phase == Phase::kWaiting) {
    if (scenarios_[user.scenario].script == StudyScript::kThreeDirect) {
      NextDirect(index);
    } else {
      NextBroadcast(index);
    }
  }
}

void Study::NextDirect(uint32_t index) {
  User& user = users_[index];
  // The first wait follows the first message. After it, the answer still has to be read.
  if (user.received == user.sent) {
    if (user.sent == kDirectMessages) {
      EndIteration(index, /*completed=*/true);
      return;
    }
    Say(index);
  }
  user.phase = Phase::kListening;
  swarm().SetReading(SlotOf(index), true);
}

void Study::NextBroadcast(uint32_t index) {
  const bool many = scenarios_[users_[index].scenario].script == StudyScript::kManyBroadcasts;
  // One when the session opened, then the many, then a last one. After that the user leaves at
  // once.
  const uint32_t last = many ? 1 + messages_ + 1 : 1;
  if (users_[index].sent < last) {
    Say(index);
    // A gRPC server may drop messages of a stream that is cancelled after they came (see
    // Swarm::Leave), so over gRPC the user waits once more.
    if (users_[index].sent < last || options().transport == "grpc") {
      Wait(index);
      return;
    }
  }
  EndIteration(index, /*completed=*/true);
}

void Study::Say(uint32_t index) {
  User& user = users_[index];
  const std::string body = Concat(NowNs() / 1000);
  if (scenarios_[user.scenario].script == StudyScript::kThreeDirect) {
    swarm().Direct(SlotOf(index), body);
  } else {
    swarm().Broadcast(SlotOf(index), 0, body);
    ++broadcasts_;
  }
  ++user.sent;
  ++tallies_[user.scenario].sent;
  meter().Sent();
}

void Study::EndIteration(uint32_t index, bool completed) {
  User& user = users_[index];
  if (user.phase == Phase::kConnecting || user.phase == Phase::kWaiting ||
      user.phase == Phase::kListening) {
    Leave(SlotOf(index), kGoingAway);
  }
  ++user.turn;
  user.phase = Phase::kOff;
  ++(completed ? tallies_[user.scenario].completed : tallies_[user.scenario].interrupted);
  if (completed && Wanted(user)) BeginIteration(index);
}

void Study::OnOpen(uint32_t slot, int64_t connect_ns) {
  Workload::OnOpen(slot, connect_ns);
  if (slot < observers_) return;
  const uint32_t index = slot - observers_;
  User& user = users_[index];
  Tally& tally = tallies_[user.scenario];
  ++tally.sessions;
  tally.connect.Add(static_cast<uint64_t>(connect_ns));
  Say(index);
  swarm().SetReading(slot, false);
  user.phase = Phase::kWaiting;
  Wait(index);
}

void Study::OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) {
  if (delivery.kind == DeliveryKind::kError) {
    ++errors_;
    Blame(Concat("error ", delivery.outcome, ": ", delivery.text));
  }
  if (slot >= observers_) {
    User& user = UserOf(slot);
    if (delivery.kind != DeliveryKind::kOther) ++tallies_[user.scenario].received;
    if (user.phase != Phase::kListening || delivery.kind != DeliveryKind::kDirect) return;
    ++user.received;
    user.phase = Phase::kWaiting;
    swarm().SetReading(slot, false);
    Wait(slot - observers_);
  } else if (delivery.kind == DeliveryKind::kBroadcast && delivery.topic.empty()) {
    ledgers_[slot].Receive(delivery.epoch, delivery.offset, &observed_);
    head_ = std::max(head_, delivery.offset);
    if (delivery.stamp > 0) meter().Received(now - delivery.stamp * 1000);
  } else if (delivery.kind == DeliveryKind::kGap && !delivery.mailbox) {
    ledgers_[slot].Gap(delivery.epoch, delivery.first, delivery.last, &observed_);
  }
}

void Study::OnEnd(uint32_t slot, const SessionEnd& end) {
  const bool user_connecting = slot >= observers_ && UserOf(slot).phase == Phase::kConnecting;
  Workload::OnEnd(slot, end);
  if (!user_connecting) return;
  ++tallies_[UserOf(slot).scenario].failed_upgrades;
  EndIteration(slot - observers_, /*completed=*/true);
}

void Study::OnUnexpectedEnd(uint32_t slot, const SessionEnd& end) {
  Workload::OnUnexpectedEnd(slot, end);
  if (slot < observers_) {
    observer_ended_[slot] = true;
    return;
  }
  ++tallies_[UserOf(slot).scenario].ended_unexpectedly;
  EndIteration(slot - observers_, /*completed=*/true);
}

bool Study::ObserversCaughtUp() const {
  for (uint32_t i = 0; i < observers_; ++i) {
    if (!observer_ended_[i] && ledgers_[i].next() <= base_ + broadcasts_) return false;
  }
  return true;
}

void Study::CheckObservers() {
  // If all observers agree, the server did not handle the rest.
  handled_ = head_ - base_;
  for (Ledger& ledger : ledgers_) ledger.Finish(head_, &observed_);
}

void Study::Describe(Report* report) {
  report->Count("observers", "observers", observers_);
  meter().Describe("delivery", 0, report);
  report->Count("broadcasts_sent", "broadcasts sent", broadcasts_);
  if (observers_ > 0) DescribeObservers(report);
  report->Count("errors", errors_ == 0 ? "" : "errors from the server", errors_);
  DescribeSessions(report);
  if (errors_ > 0) report->Fail(Concat("the server answered with ", errors_, " errors"));
  for (size_t i = 0; i < scenarios_.size(); ++i) {
    const Tally& tally = tallies_[i];
    report->Part(scenarios_[i].name, scenarios_[i].name);
    report->Count("sessions", "sessions", tally.sessions);
    report->Count("sent", "sent", tally.sent);
    report->Count("received", "received", tally.received);
    report->Latency("connect", "connect, ms", tally.connect);
    report->Count("iterations_completed", "iterations completed", tally.completed);
    report->Count("iterations_interrupted", "iterations interrupted", tally.interrupted);
    report->Count("failed_upgrades", "failed upgrades", tally.failed_upgrades);
    report->Count("ended_unexpectedly", "ended unexpectedly", tally.ended_unexpectedly);
  }
}

void Study::DescribeObservers(Report* report) {
  report->Count("broadcasts_handled", "broadcasts handled", handled_);
  report->Count("observed", "observers received", observed_.received);
  report->Count("skipped", "skipped, named by gaps", observed_.skipped);
  report->Count("lost", "lost", observed_.lost);
  report->Count("duplicate", "duplicate", observed_.duplicate);
  report->Count("out_of_order", "out of order", observed_.out_of_order);
  if (handled_ < broadcasts_) {
    report->Fail(Concat(broadcasts_ - handled_, " broadcasts were sent but not handled"));
  }
  if (!observed_.clean() || observed_.gaps > 0) {
    report->Fail(absl::StrFormat(
        "observers: %d events lost, %d skipped, %d twice, %d out of order, %d gaps wrong, "
        "%d new epochs",
        observed_.lost, observed_.skipped, observed_.duplicate, observed_.out_of_order,
        observed_.wrong_gaps, observed_.new_epochs));
  }
}

}  // namespace crier::bench
