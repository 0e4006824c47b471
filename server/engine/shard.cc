#include "server/engine/shard.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/metrics/handler_exceptions.h"

namespace crier {

Shard::Shard(Engine* engine, size_t index, ShardMetrics* metrics)
    : engine_(engine),
      index_(index),
      metrics_(metrics),
      memory_(&engine->memory(), metrics),
      mailboxes_(engine->options().mailbox),
      outlet_context_{.clock = &engine->clock(),
                      .metrics = metrics,
                      .memory = &memory_,
                      .loan = &loan_,
                      .mailboxes = &mailboxes_},
      turns_(io_, engine->clock(), engine->options().gather_time, &loan_,
             [this] { ScheduleFlush(); }),
      mail_(this, engine->options().shards, &memory_),
      publish_desk_(this),
      topics_(this),
      feeds_(this),
      sessions_(this) {
  Post([this] {
    engine_->bus().Start(*this);
    feeds_.PinEmptyTopic();
  });
}

Shard::~Shard() = default;

const EngineOptions& Shard::options() const { return engine_->options(); }
const Clock& Shard::clock() const { return engine_->clock(); }

Arrival Shard::ArrivalNow() const {
  return {.at = clock().Now(), .wall_nanos = clock().WallNanos()};
}

Session* Shard::OpenSession(SessionOptions options) {
  // Runs on: shard thread
  assert(IsCurrent());
  return sessions_.Open(std::move(options));
}

// --- The loop.

void Shard::Run() {
  role_.Enter();
  const auto work = boost::asio::make_work_guard(io_);
  ArmTimer();
  // What is thrown by a handler that belongs to no connection comes here, and the loop goes on.
  while (!NoThrow(&metrics_->handler_exceptions, "a shard's task", [this] { io_.run(); })) {
  }
}

size_t Shard::Poll() {
  role_.Enter();
  const size_t ran = io_.poll();
  io_.restart();  // it stops by itself where it runs out of work
  return ran;
}

void Shard::Post(Task task) { boost::asio::post(io_, std::move(task)); }

void Shard::AddTicker(absl::AnyInvocable<void(TimePoint)> ticker) {
  assert(IsCurrent());
  tickers_.push_back(std::move(ticker));
}

void Shard::AfterWakes(absl::AnyInvocable<void()> submit) {
  assert(IsCurrent());
  turns_.AfterRun(std::move(submit));
}

void Shard::ArmTimer() {
  timer_.expires_after(kTickInterval);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    NoThrow(&metrics_->handler_exceptions, "a tick", [this] { Tick(clock().Now()); });
    ArmTimer();
  });
}

void Shard::Tick(TimePoint now) {
  // Runs on: shard thread
  assert(IsCurrent());
  for (auto& ticker : tickers_) ticker(now);
  sessions_.Tick(now);
  topics_.Tick(now);
  publish_desk_.Expire(now);
}

// --- Flushing.

void Shard::ScheduleFlush() {
  if (std::exchange(flush_scheduled_, true)) return;
  boost::asio::post(io_, [this] {
    flush_scheduled_ = false;
    Flush();
  });
}

void Shard::Add(Session* session, bool first) {
  if (first) {
    turns_.AddFirst(session);
  } else {
    turns_.Add(session);
  }
  ScheduleFlush();
}

void Shard::FlushIfHurried() {
  // Runs on: shard thread
  assert(IsCurrent());
  if (!hurried_) return;
  // Not until nobody waits: who resumes wants one turn after the other. Two, because a turn takes
  // no more than a quarter of a log (GatherStream::kBytesPerWake), and what hurries is a quarter of
  // one, which may be longer in the session's encoding.
  const Turns::Mark mark = turns_.MarkWaiting();
  do {
    Flush();
  } while (!turns_.Reached(mark));
  hurried_ = false;
}

void Shard::Flush() {
  // Runs on: shard thread
  assert(IsCurrent());
  topics_.TellFeeds();
  // Right behind, so that a slice never reaches further than its feed.
  const bool more_slices = topics_.ServeSlices();
  // First, so that other shards work on theirs while this one does.
  mail_.SendAll();
  // A room of a few does not wait for a broadcast to thousands.
  feeds_.BeginPasses(/*only_first=*/true);
  // One round after the other, so that nobody gets a second turn before everyone has had the first,
  // and so that a large feed looks through its followers once per round.
  if (turns_.round_is_over()) {
    const bool broadcast = feeds_.has_moved() && (hurried_ || turns_.MayBroadcast());
    turns_.BeginRound(broadcast ? feeds_.BeginPasses(/*only_first=*/false) : 0);
  }
  turns_.Run();
  mail_.SendAll();
  const bool feeds_wait = feeds_.has_moved() && !turns_.pausing();
  if (turns_.waiting() || feeds_wait || more_slices) ScheduleFlush();
}

}  // namespace crier
