#include "server/engine/shard.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cassert>
#include <utility>

#include "server/engine/engine.h"

namespace crier {
namespace {

// A drain closes at least so many sessions per tick, so that a handful does not take its time.
constexpr size_t kLeastDrainedPerTick = 200;
constexpr uint64_t kTicksPerSecond = std::chrono::seconds(1) / kTickInterval;

}  // namespace

Shard::Shard(Engine* engine, size_t index, ShardMetrics* metrics)
    : engine_(engine),
      index_(index),
      metrics_(metrics),
      turns_(io_, engine->clock(), engine->options().gather_time, [this] { ScheduleFlush(); }),
      direct_dedupe_(engine->options().dedupe_window, engine->options().dedupe_entries),
      outboxes_(engine->options().shards) {
  Post([this] {
    empty_topic_ = FeedOf("", &CanonicalEncoding());
    empty_topic_->pinned = true;
  });
}

Shard::~Shard() {
  // Followers refer to feeds; nobody is told, nothing is counted any more.
  for (auto& [id, session] : sessions_) session->unlink();
}

const EngineOptions& Shard::options() const { return engine_->options(); }
const Clock& Shard::clock() const { return engine_->clock(); }

Arrival Shard::ArrivalNow() const {
  return {.at = clock().Now(), .wall_nanos = clock().WallNanos()};
}

void Shard::Run() {
  role_.Enter();
  const auto work = boost::asio::make_work_guard(io_);
  ArmTimer();
  io_.run();
}

size_t Shard::Poll() {
  role_.Enter();
  const size_t ran = io_.poll();
  io_.restart();  // it stops by itself where it runs out of work
  return ran;
}

void Shard::Post(Task task) { boost::asio::post(io_, std::move(task)); }

void Shard::SendTo(size_t shard, Task task) {
  // Runs on: shard thread
  assert(IsCurrent());
  if (shard == index_) {
    task();
    return;
  }
  outboxes_[shard].push_back(std::move(task));
  ScheduleFlush();
}

void Shard::SendOutboxes() {
  for (size_t i = 0; i < outboxes_.size(); ++i) {
    if (outboxes_[i].empty()) continue;
    engine_->shard(i).Post([tasks = std::exchange(outboxes_[i], {})]() mutable {
      for (Task& task : tasks) task();
    });
  }
}

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
    Tick(clock().Now());
    ArmTimer();
  });
}

void Shard::Tick(TimePoint now) {
  // Runs on: shard thread
  assert(IsCurrent());
  for (auto& ticker : tickers_) ticker(now);
  for (const uint64_t id : expecting_hello_[1]) {
    if (Session* session = FindSession(id)) session->StopExpectingHello();
  }
  expecting_hello_[1] = std::exchange(expecting_hello_[0], {});
  bool lagging = false;
  for (const auto& transport : metrics_->transports) {
    lagging |= transport.sessions_lagging.value() > 0;
  }
  if (lagging) {
    for (auto& [id, session] : sessions_) session->CheckSlowConsumer();
  }
  if (++ticks_ % kTicksPerSecond == 0) TickSecond(now);
  if (draining_) DrainSome();
}

void Shard::TickSecond(TimePoint now) {
  direct_dedupe_.Expire(now);
  for (auto it = topics_.begin(); it != topics_.end();) {
    const bool keep = it->second->Expire(now) || it->second->dirty;
    if (keep) {
      ++it;
    } else {
      topics_.erase(it++);
    }
  }
}

// --- Flushing.

void Shard::ScheduleFlush() {
  if (std::exchange(flush_scheduled_, true)) return;
  boost::asio::post(io_, [this] { Flush(); });
}

void Shard::AddReady(Session* session) {
  turns_.Add(session);
  ScheduleFlush();
}

void Shard::AddAnswered(Session* session) {
  turns_.AddFirst(session);
  ScheduleFlush();
}

void Shard::Flush() {
  // Runs on: shard thread
  assert(IsCurrent());
  flush_scheduled_ = false;
  for (Topic* topic : dirty_topics_) {
    topic->dirty = false;
    topic->TellFeeds();
  }
  dirty_topics_.clear();
  // First, so that other shards work on theirs while this one does.
  SendOutboxes();
  // A room of a few does not wait for a broadcast to thousands.
  BeginPasses(/*only_first=*/true);
  // One round after the other, so that nobody gets a second turn before everyone has had the first,
  // and so that a large feed looks through its followers once per round.
  if (turns_.round_is_over()) {
    const bool broadcast = !dirty_feeds_.empty() && turns_.MayBroadcast();
    turns_.BeginRound(broadcast ? BeginPasses(/*only_first=*/false) : 0);
  }
  turns_.Run();
  SendOutboxes();
  if (turns_.waiting() || (!dirty_feeds_.empty() && !turns_.pausing())) ScheduleFlush();
}

uint64_t Shard::BeginPasses(bool only_first) {
  uint64_t most = 0;
  std::erase_if(dirty_feeds_, [this, only_first, &most](Feed* feed) {
    if (only_first && !feed->GoesFirst()) return false;
    feed->dirty = false;
    most = std::max(most, feed->BeginPass());
    ReportHanded(feed);
    return true;
  });
  return most;
}

// --- Sessions.

Session* Shard::OpenSession(SessionOptions options) {
  // Runs on: shard thread
  assert(IsCurrent());
  const uint64_t id = engine_->NewSessionId();
  const bool expect_hello = options.expect_hello;
  auto& session = sessions_[id];
  session = std::make_unique<Session>(this, id, std::move(options));
  session->Open();
  if (expect_hello) expecting_hello_[0].push_back(id);
  return session.get();
}

Session* Shard::FindSession(uint64_t id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void Shard::CloseSession(Session* session) {
  sessions_.erase(session->id());
  if (draining_ && sessions_.empty() && drain_done_) std::exchange(drain_done_, nullptr)();
}

void Shard::StartDrain(std::chrono::milliseconds spread, Task done) {
  // Runs on: shard thread
  assert(IsCurrent());
  draining_ = true;
  if (sessions_.empty()) return done();
  drain_done_ = std::move(done);
  const size_t ticks = static_cast<size_t>(std::max<int64_t>(1, spread / kTickInterval));
  drain_per_tick_ = std::max(kLeastDrainedPerTick, sessions_.size() / ticks + 1);
  for (auto& [id, session] : sessions_) {
    v1::Event& event = scratch_event();
    const auto slot = ReconnectSlot(id);
    auto* after = event.mutable_drain()->mutable_reconnect_after();
    after->set_seconds(slot.count() / 1000);
    after->set_nanos(static_cast<int32_t>(slot.count() % 1000) * 1'000'000);
    session->Deliver(event, clock().Now());
  }
}

void Shard::DrainSome() {
  size_t left = drain_per_tick_;
  for (auto& [id, session] : sessions_) {
    if (left == 0) break;
    if (session->closing()) continue;
    session->RequestClose(Outcome::kShutdown, {});
    --left;
  }
}

std::chrono::milliseconds Shard::ReconnectSlot(uint64_t session_id) const {
  // Multiplying by the golden ratio spreads consecutive ids evenly (Knuth, TAOCP 3, 6.4).
  const uint64_t spread = std::max<int64_t>(1, options().reconnect_spread.count());
  return std::chrono::milliseconds(((session_id * 0x9E3779B97F4A7C15u) >> 32) % spread);
}

// --- Presence.

void Shard::CollectPresence(std::shared_ptr<PresenceQuestion> question) {
  // Runs on: shard thread
  assert(IsCurrent());
  const auto found = feeds_.find(question->topic);
  if (found != feeds_.end()) {
    for (const auto& feed : found->second) {
      for (const Subscription* follower : feed->followers()) {
        ++question->sessions;
        const std::string& user = follower->session->user_id();
        if (user.empty() || question->users.size() == PresenceQuestion::kMostUsers) continue;
        question->users.insert(user);
      }
    }
  }
  const size_t next = ++question->next_shard;
  if (next < engine_->shard_count()) {
    SendTo(next, [&shard = engine_->shard(next), question] { shard.CollectPresence(question); });
    return;
  }
  SendTo(question->shard,
         [&shard = engine_->shard(question->shard), question] { shard.AnswerPresence(*question); });
}

void Shard::AnswerPresence(const PresenceQuestion& question) {
  Session* session = FindSession(question.session);
  if (session == nullptr) return;
  v1::Event& event = scratch_event();
  v1::Presence& presence = *event.mutable_presence();
  presence.set_topic(question.topic);
  presence.set_id(question.id);
  presence.set_sessions(question.sessions);
  for (const std::string& user : question.users) presence.add_users(user);
  session->Deliver(event, clock().Now());
}

}  // namespace crier
