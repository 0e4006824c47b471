#include "server/engine/engine.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/engine/frame_checks.h"
#include "server/engine/local_bus.h"

namespace crier {
namespace {

// A page of history; more is asked for page by page.
constexpr size_t kHistoryBytes = 1 << 20;
constexpr size_t kHistoryEvents = 1000;

}  // namespace

Engine::Engine(const EngineOptions& options, const Clock& clock, Metrics* metrics)
    : options_(options), clock_(clock), metrics_(metrics), bus_(std::make_unique<LocalBus>(this)) {
  assert(options_.shards > 0);
  for (size_t i = 0; i < options_.shards; ++i) {
    shards_.push_back(std::make_unique<Shard>(this, i, &metrics_->shard(i)));
  }
  // The shards' feeds of the empty topic are started before any session comes.
  RunUntilIdle();
}

Engine::~Engine() { Stop(); }

void Engine::Start() {
  assert(threads_.empty());
  for (const auto& shard : shards_) {
    threads_.emplace_back([&shard = *shard] { shard.Run(); });
  }
}

void Engine::Stop() {
  for (const auto& shard : shards_) shard->Stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Engine::Drain(std::chrono::milliseconds spread, absl::AnyInvocable<void()> done) {
  struct Waiting {
    std::atomic<size_t> shards;
    absl::AnyInvocable<void()> done;
  };
  auto waiting = std::make_shared<Waiting>();
  waiting->shards = shards_.size();
  waiting->done = std::move(done);
  for (const auto& shard : shards_) {
    shard->Post([&shard = *shard, spread, waiting] {
      shard.StartDrain(spread, [waiting] {
        if (waiting->shards.fetch_sub(1) == 1) waiting->done();
      });
    });
  }
}

void Engine::Publish(v1::Message message, PublishDone done) {
  DropUnknownFields(&message);
  const v1::ActionType action = message.action_type();
  auto refusal = CheckMessage(message, options_);
  if (!refusal && action != v1::DIRECT && action != v1::BROADCAST) {
    refusal = Refusal{Outcome::kInvalidMessage,
                      "action_type is one of DIRECT, BROADCAST where there is no session"};
  }
  if (!refusal && action == v1::DIRECT && message.to().empty()) {
    refusal = Refusal{Outcome::kInvalidMessage,
                      "to is missing: without a session there is no sender to answer"};
  }
  Shard& home = HomeOf(action == v1::DIRECT ? message.to() : message.topic());
  if (refusal) {
    home.Post([result = PublishResult{.outcome = refusal->outcome, .detail = refusal->message},
               done = std::move(done)]() mutable { done(result); });
    return;
  }
  const Arrival arrival{.at = clock_.Now(), .wall_nanos = clock_.WallNanos()};
  message.set_received_at(arrival.wall_nanos);
  if (action == v1::DIRECT) {
    message.clear_topic();
  } else {
    message.clear_to();
  }
  Publication publication{
      .message = {}, .arrival = arrival, .publisher = {}, .done = std::move(done)};
  // Without a session only a user makes an id unique.
  if (!message.id().empty() && !message.user_id().empty()) {
    publication.publisher = absl::StrCat("user:", message.user_id());
  }
  publication.message = std::move(message);
  home.Post([this, &home, publication = std::move(publication)]() mutable {
    bus_->Publish(home, std::move(publication));
  });
}

void Engine::History(std::string_view topic, uint64_t from, size_t max_events,
                     absl::AnyInvocable<void(HistoryRange)> done) {
  Shard& home = HomeOf(topic);
  if (max_events == 0 || max_events > kHistoryEvents) max_events = kHistoryEvents;
  home.Post(
      [&home, topic = std::string(topic), from, max_events, done = std::move(done)]() mutable {
        HistoryRange range;
        if (const Topic* found = home.FindTopicHere(topic)) {
          const EventLog& log = found->canonical();
          range.epoch = found->epoch();
          range.tail = log.tail();
          range.head = log.head();
          uint64_t next = std::max(from, log.tail());
          const uint64_t end = std::min(log.head() + 1, next + max_events);
          while (next < end && range.events.size() < kHistoryBytes) {
            // One event at a time: a page is read seldom, and ends at an exact number.
            const EventRun run = log.Read(next, 0);
            range.events.append(run.data, run.size);
            next = run.last + 1;
          }
        }
        done(std::move(range));
      });
}

size_t Engine::HomeIndexOf(std::string_view name) const {
  return shards_.size() == 1 ? 0 : std::hash<std::string_view>()(name) % shards_.size();
}

uint64_t Engine::NewEpoch() {
  uint64_t last = last_epoch_.load(std::memory_order_relaxed);
  uint64_t epoch;
  do {
    epoch = std::max(last + 1, static_cast<uint64_t>(clock_.WallNanos() / 1000));
  } while (!last_epoch_.compare_exchange_weak(last, epoch, std::memory_order_relaxed));
  return epoch;
}

void Engine::AccountLogMemory(int64_t bytes) {
  const int64_t total = log_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (bytes <= 0 || total <= static_cast<int64_t>(options_.total_log_bytes)) return;
  if (relieving_.exchange(true)) return;
  Relieve();
}

void Engine::Relieve() {
  const auto largest =
      std::max_element(shards_.begin(), shards_.end(), [](const auto& a, const auto& b) {
        return a->metrics().log_bytes.value() < b->metrics().log_bytes.value();
      });
  (*largest)->Post([this, &shard = **largest] {
    const int64_t before = log_bytes_.load(std::memory_order_relaxed);
    shard.ShrinkLargestLog();
    const int64_t after = log_bytes_.load(std::memory_order_relaxed);
    if (after > static_cast<int64_t>(options_.total_log_bytes) && after < before) {
      Relieve();
    } else {
      relieving_ = false;
    }
  });
}

void Engine::RunUntilIdle() {
  size_t ran = 0;
  do {
    ran = 0;
    for (const auto& shard : shards_) ran += shard->Poll();
  } while (ran > 0);
}

void Engine::Tick() {
  for (const auto& shard : shards_) {
    shard->Poll();
    shard->Tick(clock_.Now());
  }
  RunUntilIdle();
}

}  // namespace crier
