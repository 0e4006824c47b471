#include "server/admin/event_hub.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/admin/session_info.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// In the order of RefusalKind, as metrics.cc has them.
constexpr std::array<std::string_view, kRefusalCount> kRefusalNames = {
    "total", "per_address", "descriptors", "rate", "rate_per_address"};

void SetTime(int64_t wall_nanos, v1::AdminEvent* event) {
  event->mutable_at()->set_seconds(wall_nanos / 1'000'000'000);
  event->mutable_at()->set_nanos(static_cast<int32_t>(wall_nanos % 1'000'000'000));
}

}  // namespace

// --- EventQueue.

bool EventQueue::Reserve() {
  if (reserved_.fetch_add(1, std::memory_order_relaxed) < most_) return true;
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void EventQueue::Add(v1::AdminEvent event) {
  const MutexLock lock(&mutex_);
  *events_.add_events() = std::move(event);
}

v1::AdminEvents EventQueue::Take() {
  v1::AdminEvents taken;
  {
    const MutexLock lock(&mutex_);
    taken.Swap(&events_);
  }
  taken.set_left_out(left_out_.exchange(0, std::memory_order_relaxed));
  reserved_.store(0, std::memory_order_relaxed);
  return taken;
}

// --- EventHub.

// The observer of one shard. Runs on: its thread.
class EventHub::Tap final : public SessionObserver {
 public:
  explicit Tap(Shard* shard) : shard_(*shard) {}

  void Add(std::shared_ptr<EventQueue> queue) {
    queues_.push_back(std::move(queue));
    shard_.sessions().set_observer(this);
  }
  void Remove(const std::shared_ptr<EventQueue>& queue) {
    std::erase(queues_, queue);
    if (queues_.empty()) shard_.sessions().set_observer(nullptr);
  }

  void OnBegun(const Session& session) override {
    Tell([&session](v1::AdminEvent* event) { DescribeSession(session, event->mutable_began()); });
  }
  void OnLagging(const Session& session) override {
    Tell([&session](v1::AdminEvent* event) { DescribeSession(session, event->mutable_lags()); });
  }
  void OnEnded(const Session& session, Outcome outcome) override {
    Tell([&session, outcome](v1::AdminEvent* event) {
      v1::SessionEnded& ended = *event->mutable_ended();
      ended.set_session_id(absl::StrCat(session.id()));
      ended.set_user_id(session.user_id());
      ended.set_transport(TransportOf(session));
      ended.set_outcome(std::string(Info(outcome).name));
    });
  }

 private:
  template <class Describe>
  void Tell(const Describe& describe) {
    for (const auto& queue : queues_) {
      if (!queue->Reserve()) continue;
      v1::AdminEvent event;
      SetTime(shard_.clock().WallNanos(), &event);
      describe(&event);
      queue->Add(std::move(event));
    }
  }

  Shard& shard_;
  std::vector<std::shared_ptr<EventQueue>> queues_;
};

EventHub::EventHub(Engine* engine) : engine_(*engine) {
  for (size_t i = 0; i < engine->shard_count(); ++i) {
    taps_.push_back(std::make_unique<Tap>(&engine->shard(i)));
  }
}

EventHub::~EventHub() {
  for (size_t i = 0; i < taps_.size(); ++i) engine_.shard(i).sessions().set_observer(nullptr);
}

void EventHub::Add(std::shared_ptr<EventQueue> queue) {
  for (size_t i = 0; i < taps_.size(); ++i) {
    engine_.shard(i).Post([tap = taps_[i].get(), queue] { tap->Add(queue); });
  }
}

void EventHub::Remove(std::shared_ptr<EventQueue> queue) {
  for (size_t i = 0; i < taps_.size(); ++i) {
    engine_.shard(i).Post([tap = taps_[i].get(), queue] { tap->Remove(queue); });
  }
}

// --- RefusalWatch.

RefusalWatch::RefusalWatch(const ConnectionMetrics* metrics) : metrics_(*metrics) {
  for (size_t i = 0; i < kRefusalCount; ++i) seen_[i] = metrics_.refused[i].value();
}

void RefusalWatch::AppendNew(int64_t wall_nanos, v1::AdminEvents* events) {
  for (size_t i = 0; i < kRefusalCount; ++i) {
    const uint64_t refused = metrics_.refused[i].value();
    const uint64_t more = refused - std::exchange(seen_[i], refused);
    if (more == 0) continue;
    v1::AdminEvent& event = *events->add_events();
    SetTime(wall_nanos, &event);
    event.mutable_refused()->set_reason(std::string(kRefusalNames[i]));
    event.mutable_refused()->set_count(more);
  }
}

}  // namespace crier
