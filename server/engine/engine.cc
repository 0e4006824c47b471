#include "server/engine/engine.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/name_hash.h"
#include "server/engine/gate.h"
#include "server/engine/local_bus.h"
#include "server/engine/presence_log.h"

namespace crier {
namespace {

constexpr size_t kHistoryEvents = 1000;

}  // namespace

Engine::Engine(const EngineOptions& options, const Clock& clock, Metrics* metrics,
               const MakeBus& make_bus)
    : options_(options),
      clock_(clock),
      metrics_(metrics),
      topics_(options.max_topics),
      followed_topics_(options.max_topics),
      memory_(options.memory_budget),
      bus_(make_bus ? make_bus(this) : std::make_unique<LocalBus>(this)) {
  assert(options_.shards > 0);
  next_session_id_ = bus_->first_session_id();
  for (size_t i = 0; i < options_.shards; ++i) {
    shards_.push_back(std::make_unique<Shard>(this, i, &metrics_->shard(i)));
  }
  // The shards' feeds of the empty topic are started before any session comes.
  RunUntilIdle();
}

Engine::~Engine() {
  Stop();
  bus_->Stop();
}

void Engine::Start() {
  assert(threads_.empty());
  for (const auto& shard : shards_) {
    threads_.emplace_back([&shard = *shard] { shard.Run(); });
  }
}

void Engine::Stop() {
  if (!threads_.empty()) bus_->Leave();
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
      shard.sessions().StartDrain(spread, [waiting] {
        if (waiting->shards.fetch_sub(1) == 1) waiting->done();
      });
    });
  }
}

void Engine::Publish(Shard& from, v1::Message message, PublishDone done, const Grant* grant) {
  // Runs on: the thread of `from`
  assert(from.IsCurrent());
  auto refusal = AdmitPublish(&message, options_);
  if (!refusal && grant != nullptr) {
    message.set_user_id(grant->user_id);
    refusal = CheckPublish(*grant, message);
  }
  if (refusal) return done({.outcome = refusal->outcome, .detail = std::move(refusal->message)});
  const Arrival arrival = from.ArrivalNow();
  message.set_received_at(arrival.wall_nanos);
  message.set_offset(0);
  message.set_epoch(0);
  if (message.action_type() == v1::DIRECT) {
    message.clear_topic();
  } else {
    message.clear_to();
  }
  Publication publication{.message = {}, .arrival = arrival, .publisher = {}, .reply = {}};
  // Without a session only a user makes an id unique.
  if (!message.id().empty() && !message.user_id().empty()) {
    publication.publisher = absl::StrCat("user:", message.user_id());
  }
  publication.message = std::move(message);
  publication.reply.session.shard = from.index();
  publication.reply.done = std::move(done);
  bus_->Publish(from, std::move(publication));
}

std::optional<Refusal> Engine::History(Shard& from, std::string topic, uint64_t from_offset,
                                       size_t max_events, HistoryDone done, const Grant* grant) {
  // Runs on: the thread of `from`
  assert(from.IsCurrent());
  if (auto refusal = AdmitTopic(topic, options_)) return refusal;
  if (grant != nullptr) {
    if (auto refusal = CheckHistory(*grant, topic)) return refusal;
  }
  if (max_events == 0 || max_events > kHistoryEvents) max_events = kHistoryEvents;
  const size_t home = HomeIndexOf(topic);
  from.mail().Send(home, HistoryAskedMail{HistoryQuestion{.topic = std::move(topic),
                                                          .from = from_offset,
                                                          .max_events = max_events,
                                                          .done = std::move(done)}});
  return std::nullopt;
}

size_t Engine::HomeIndexOf(std::string_view name) const {
  // What is recorded of a topic is at home where the topic is.
  if (IsPresenceLog(name)) name = TopicOf(name);
  // Not the bits that tables look at.
  return shards_.size() == 1 ? 0 : (HashName(name) >> 40) % shards_.size();
}

uint64_t Engine::NewEpoch() {
  uint64_t last = last_epoch_.load(std::memory_order_relaxed);
  uint64_t epoch;
  do {
    epoch = std::max(last + 1, static_cast<uint64_t>(clock_.WallNanos() / 1000));
  } while (!last_epoch_.compare_exchange_weak(last, epoch, std::memory_order_relaxed));
  return epoch;
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
