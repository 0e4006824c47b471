#include "client/bench/fanout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "client/text.h"

namespace crier::bench {
namespace {

constexpr double kDefaultRate = 200;
constexpr int64_t kFeedInterval = 50 * kMillisecond;
constexpr int64_t kMarkerInterval = 250 * kMillisecond;
constexpr int64_t kMarkerTimeout = 30 * kSecond;

std::vector<std::string> TopicNames(const BenchOptions& options) {
  if (options.topics == 0) return {options.topic};
  std::vector<std::string> names;
  const std::string stem = options.topic.empty() ? "bench" : options.topic;
  for (uint64_t i = 0; i < options.topics; ++i) names.push_back(Concat(stem, "-", i));
  return names;
}

}  // namespace

Fanout::Fanout(const BenchOptions& options)
    : Workload(options, static_cast<uint32_t>(options.clients), TopicNames(options)),
      topic_names_(TopicNames(options)),
      topics_(topic_names_.size()),
      receivers_(options.clients) {
  const uint64_t stalled =
      std::max(options.stalled,
               static_cast<uint64_t>(static_cast<double>(options.clients) * (1 - options.readers)));
  const uint64_t healthy = options.clients - stalled - options.slow;
  publishers_ = options.publishers == 0 ? healthy : std::min(options.publishers, healthy);
  for (uint32_t slot = 0; slot < receivers_.size(); ++slot) {
    Receiver& receiver = receivers_[slot];
    receiver.topic = slot % topics_.size();
    ++topics_[receiver.topic].followers;
    receiver.group = slot < healthy ? kHealthy : slot < healthy + options.slow ? kSlow : kStalled;
  }
  // If there are several topics, the first client of each publishes its markers.
  for (uint32_t topic = 0; topic < topics_.size(); ++topic) topics_[topic].publisher = topic;
}

absl::Status Fanout::Execute(Report* report) {
  if (absl::Status status = ConnectAll(static_cast<uint32_t>(receivers_.size()), report);
      !status.ok()) {
    return status;
  }
  for (uint32_t slot = 0; slot < receivers_.size(); ++slot) {
    if (!receivers_[slot].ended && !swarm().is_open(slot)) Forget(&receivers_[slot]);
  }
  if (absl::Status status = Start(); !status.ok()) return status;
  if (absl::Status status = meter().Begin(NowNs()); !status.ok()) return status;
  Measure();
  Drain();
  Describe(report);
  return absl::OkStatus();
}

absl::Status Fanout::Start() {
  if (!topic_names_[0].empty()) {
    for (uint32_t slot = 0; slot < receivers_.size(); ++slot) {
      swarm().Subscribe(slot, receivers_[slot].topic);
    }
  }
  // A marker may overtake the subscriptions of others. So if not everyone has seen it, another one
  // follows, at growing intervals, since the first may still be on its way.
  const int64_t deadline = NowNs() + kMarkerTimeout;
  for (int64_t interval = kMarkerInterval; !Settled(); interval *= 2) {
    if (NowNs() >= deadline) return NotSettled();
    for (uint32_t i = 0; i < topics_.size(); ++i) {
      if (Settled(topics_[i])) continue;
      ++topics_[i].markers;
      swarm().Broadcast(topics_[i].publisher, i, Concat(topics_[i].markers));
    }
    PollUntil(std::min(deadline, NowNs() + interval), [this] { return Settled(); });
  }
  for (Topic& topic : topics_) topic.base = topic.head;
  for (LedgerTotals& totals : totals_) totals = LedgerTotals();
  for (uint32_t slot = 0; slot < receivers_.size(); ++slot) {
    if (receivers_[slot].group != kHealthy) swarm().SetReading(slot, false);
  }
  return absl::OkStatus();
}

bool Fanout::Settled(const Topic& topic) const {
  return topic.markers > 0 && topic.markers_seen == topic.markers &&
         topic.settled == topic.followers;
}

bool Fanout::Settled() const {
  return std::all_of(topics_.begin(), topics_.end(),
                     [this](const Topic& topic) { return Settled(topic); });
}

absl::Status Fanout::NotSettled() const {
  uint64_t missing = 0;
  for (const Topic& topic : topics_) missing += topic.followers - topic.settled;
  return absl::DeadlineExceededError(Concat(
      "after 30 s ", missing, " of ", receivers_.size(),
      " clients had not seen a first broadcast; the server answered with ", errors_, " errors"));
}

void Fanout::Measure() {
  const double rate = options().rate > 0 ? options().rate : kDefaultRate;
  const double interval = 1e9 / rate;
  measuring_ = true;
  const int64_t begin = NowNs();
  const int64_t end = begin + absl::ToInt64Nanoseconds(options().duration);
  uint64_t sent = 0;
  int64_t due = begin;
  for (int64_t now = begin; now < end; now = NowNs()) {
    // By the clock: messages delayed by a stall carry the time at which they were due.
    for (int burst = 0; due <= now && due < end && burst < 64; ++burst) {
      meter().Late(NowNs() - due);
      Publish(due);
      ++sent;
      due = begin + static_cast<int64_t>(interval * static_cast<double>(sent));
    }
    FeedSlow(now);
    meter().Tick(now);
    int64_t wake = std::min({due, end, meter().next_tick()});
    if (options().slow > 0) wake = std::min(wake, next_feed_);
    swarm().Poll(wake);
  }
  // Messages that were due in the window but are not sent yet still count as sent in it.
  for (; due < end; due = begin + static_cast<int64_t>(interval * static_cast<double>(++sent))) {
    meter().Late(NowNs() - due);
    Publish(due);
  }
}

void Fanout::Publish(int64_t due) {
  const auto publisher = static_cast<uint32_t>(published_++ % publishers_);
  Topic& topic = topics_[receivers_[publisher].topic];
  swarm().Broadcast(publisher, receivers_[publisher].topic, Body(due));
  ++topic.sent;
  meter().Sent();
}

void Fanout::FeedSlow(int64_t now) {
  if (options().slow == 0 || now < next_feed_) return;
  // A late call also gives the credit of the missed ones: the clients are slow, but by the clock.
  const int64_t due = next_feed_ == 0 ? kFeedInterval : now - next_feed_ + kFeedInterval;
  next_feed_ = now + kFeedInterval;
  const uint64_t bytes = std::max<uint64_t>(options().slow_rate * due / kSecond, 1);
  for (uint32_t slot = 0; slot < receivers_.size(); ++slot) {
    if (receivers_[slot].group == kSlow && !receivers_[slot].ended) swarm().Grant(slot, bytes);
  }
}

void Fanout::Drain() {
  const int64_t deadline = NowNs() + absl::ToInt64Nanoseconds(options().drain);
  // The healthy clients come first and undisturbed, because their time is measured.
  PollUntil(deadline, [this] {
    meter().Tick(NowNs(), "draining");
    return Complete(kHealthy);
  });
  meter().End(NowNs());
  window_deliveries_ = totals_[kHealthy].received;
  for (const LedgerTotals& totals : {totals_[kSlow], totals_[kStalled]}) {
    window_deliveries_ += totals.received;
  }
  for (uint32_t slot = 0; slot < receivers_.size(); ++slot) {
    if (receivers_[slot].group != kHealthy) swarm().SetReading(slot, true);
  }
  PollUntil(NowNs() + absl::ToInt64Nanoseconds(options().drain),
            [this] { return Complete(kSlow) && Complete(kStalled); });
  for (Receiver& receiver : receivers_) {
    if (Excused(receiver)) continue;
    receiver.ledger.Finish(Target(topics_[receiver.topic]), &totals_[receiver.group]);
  }
}

uint64_t Fanout::Target(const Topic& topic) const {
  return std::max(topic.head, topic.base + topic.sent);
}

uint64_t Fanout::Expected(Group group) const {
  uint64_t expected = 0;
  for (const Receiver& receiver : receivers_) {
    if (receiver.group == group && !Excused(receiver)) expected += topics_[receiver.topic].sent;
  }
  return expected;
}

bool Fanout::Complete(Group group) const {
  return std::all_of(receivers_.begin(), receivers_.end(), [&](const Receiver& receiver) {
    return receiver.group != group || receiver.ended ||
           receiver.ledger.next() > Target(topics_[receiver.topic]);
  });
}

void Fanout::OnDelivery(uint32_t slot, const Delivery& delivery, int64_t now) {
  Receiver& receiver = receivers_[slot];
  if (delivery.kind == DeliveryKind::kBroadcast) {
    Topic& topic = topics_[receiver.topic];
    if (delivery.topic != topic_names_[receiver.topic]) {
      ++foreign_;
      return;
    }
    receiver.ledger.Receive(delivery.epoch, delivery.offset, &totals_[receiver.group]);
    if (measuring_) {
      topic.head = std::max(topic.head, delivery.offset);
      if (receiver.group == kHealthy && delivery.stamp > 0) meter().Received(now - delivery.stamp);
    } else {
      CountMarker(slot, delivery, &topic);
    }
  } else if (delivery.kind == DeliveryKind::kGap) {
    if (!delivery.mailbox && delivery.topic == topic_names_[receiver.topic]) {
      receiver.ledger.Gap(delivery.epoch, delivery.first, delivery.last, &totals_[receiver.group]);
    }
  } else if (delivery.kind == DeliveryKind::kError) {
    ++errors_;
    Blame(Concat("error ", delivery.outcome, ": ", delivery.text));
  }
}

void Fanout::CountMarker(uint32_t slot, const Delivery& delivery, Topic* topic) {
  // Those before it may have come before its own subscription: a cluster does not order the two.
  const auto number = static_cast<uint64_t>(std::max<int64_t>(delivery.stamp, 0));
  if (slot == topic->publisher && number <= topic->markers) {
    topic->markers_seen = std::max(topic->markers_seen, number);
  }
  if (delivery.offset > topic->head) {
    topic->head = delivery.offset;
    topic->settled = 0;
  }
  if (delivery.offset == topic->head) ++topic->settled;
}

void Fanout::Forget(Receiver* receiver) {
  receiver->ended = true;
  Topic& topic = topics_[receiver->topic];
  if (measuring_) return;
  --topic.followers;
  if (receiver->ledger.started() && receiver->ledger.next() > topic.head) --topic.settled;
}

void Fanout::OnUnexpectedEnd(uint32_t slot, const SessionEnd& end) {
  Receiver& receiver = receivers_[slot];
  ++ended_[receiver.group];
  Forget(&receiver);
  if (receiver.group == kStalled) {
    // The server may end a client that takes nothing for long (IDLE_TIMEOUT). It is reported, but
    // no failure.
    Blame(Concat("stalled client: ", end.what));
    return;
  }
  Workload::OnUnexpectedEnd(slot, end);
}

void Fanout::Describe(Report* report) {
  report->Count("clients", "clients", receivers_.size());
  report->Count("topics", topics_.size() > 1 ? "topics" : "", topics_.size());
  meter().Describe("delivery", window_deliveries_, report);
  for (const Group group : {kHealthy, kSlow, kStalled}) DescribeGroup(group, report);
  uint64_t extra = 0;
  for (const Topic& topic : topics_) {
    const uint64_t last = topic.base + topic.sent;
    extra += topic.head > last ? topic.head - last : 0;
  }
  report->Count("foreign", extra + foreign_ == 0 ? "" : "events of others", extra + foreign_);
  report->Count("errors", errors_ == 0 ? "" : "errors from the server", errors_);
  DescribeSessions(report);
  if (errors_ > 0) report->Fail(Concat("the server answered with ", errors_, " errors"));
}

void Fanout::DescribeGroup(Group group, Report* report) {
  const auto members = static_cast<uint64_t>(
      std::count_if(receivers_.begin(), receivers_.end(),
                    [group](const Receiver& receiver) { return receiver.group == group; }));
  if (members == 0) return;
  const LedgerTotals& totals = totals_[group];
  const std::string name = kGroupNames[group];
  // The keys of the healthy clients have no prefix, since every run has such clients.
  const std::string prefix = group == kHealthy ? "" : name + "_";
  const std::string label = group == kHealthy ? "" : name + " clients: ";
  if (group != kHealthy) report->Count(prefix + "clients", name + " clients", members);
  report->Count(prefix + "expected", label + "expected deliveries", Expected(group));
  if (group != kHealthy) report->Count(prefix + "received", label + "received", totals.received);
  report->Count(prefix + "skipped", label + "skipped, named by gaps", totals.skipped);
  report->Count(prefix + "gaps", "", totals.gaps);
  report->Count(prefix + "lost", label + "lost", totals.lost);
  report->Count(prefix + "duplicate", label + "duplicate", totals.duplicate);
  report->Count(prefix + "out_of_order", label + "out of order", totals.out_of_order);
  report->Count(prefix + "wrong_gaps", totals.wrong_gaps == 0 ? "" : label + "wrong gaps",
                totals.wrong_gaps);
  report->Count(prefix + "ended", group == kHealthy ? "" : label + "ended by the server",
                ended_[group]);
  if (!totals.clean()) {
    report->Fail(absl::StrFormat(
        "%s clients: %d events lost, %d twice, %d out of order, %d gaps wrong, %d new epochs", name,
        totals.lost, totals.duplicate, totals.out_of_order, totals.wrong_gaps, totals.new_epochs));
  }
}

}  // namespace crier::bench
