#include "server/engine/session_table.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// A drain closes at least so many sessions per tick, so that a handful does not take its time.
constexpr size_t kLeastDrainedPerTick = 200;
constexpr size_t kMostCheckedPerTick = 1000;

}  // namespace

SessionTable::~SessionTable() {
  // Nobody is told, nothing is counted any more.
  for (auto& [id, session] : sessions_) session->unlink();
}

Session* SessionTable::Open(SessionOptions options) {
  const uint64_t id = shard_.engine().NewSessionId();
  auto made = std::make_unique<Session>(&shard_, id, std::move(options));
  Session* const session = made.get();
  sessions_[id] = std::move(made);
  index_.Add(id);
  try {
    session->Open();
  } catch (...) {
    session->End(Outcome::kInternal);
    throw;
  }
  return session;
}

Session* SessionTable::Find(uint64_t id) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void SessionTable::Destroy(Session* session) {
  index_.Remove(session->id());
  sessions_.erase(session->id());
  if (draining_ && sessions_.empty() && drained_) std::exchange(drained_, nullptr)();
}

void SessionTable::ExpectHello(uint64_t id) {
  expected_.push_back({.id = id, .until = shard_.clock().Now() + shard_.options().hello_timeout});
}

void SessionTable::ExpectToken(uint64_t id) {
  tokens_expected_.push_back(
      {.id = id, .until = shard_.clock().Now() + shard_.options().token_timeout});
}

void SessionTable::SetEnd(uint64_t id, int64_t ends_at) {
  if (ends_at != 0) ends_.emplace(ends_at, id);
}

void SessionTable::ClearEnd(uint64_t id, int64_t ends_at) {
  if (ends_at != 0) ends_.erase({ends_at, id});
}

// By the wall's clock, as tokens count: where it is set forward, they have ended.
void SessionTable::CheckTokens(TimePoint now) {
  while (!tokens_expected_.empty() && tokens_expected_.front().until <= now) {
    Session* const session = Find(tokens_expected_.front().id);
    if (session != nullptr && session->access()->awaits_token) {
      shard_.metrics().CountRefused(TokenFault::kMissing);
      session->RequestClose(Outcome::kUnauthenticated, "no token has come in time");
    }
    tokens_expected_.pop_front();
  }
  if (ends_.empty()) return;
  const int64_t wall = shard_.clock().WallNanos() / 1'000'000'000;
  for (size_t i = 0; i < kMostCheckedPerTick && !ends_.empty(); ++i) {
    const auto [ends_at, id] = *ends_.begin();
    if (ends_at > wall) return;
    ends_.erase(ends_.begin());
    if (Session* session = Find(id)) session->EndOfToken();
  }
}

void SessionTable::StartDrain(std::chrono::milliseconds spread, absl::AnyInvocable<void()> done) {
  draining_ = true;
  if (sessions_.empty()) return done();
  drained_ = std::move(done);
  const size_t ticks = static_cast<size_t>(std::max<int64_t>(1, spread / kTickInterval));
  drain_per_tick_ = std::max(kLeastDrainedPerTick, sessions_.size() / ticks + 1);
  for (auto& [id, session] : sessions_) {
    v1::Event& event = shard_.scratch_event();
    SetSlot(id, event.mutable_drain()->mutable_reconnect_after());
    session->Deliver(event, shard_.clock().Now());
  }
}

void SessionTable::Tick(TimePoint now) {
  while (!expected_.empty() && expected_.front().until <= now) {
    if (Session* session = Find(expected_.front().id)) session->following().LetGo();
    expected_.pop_front();
  }
  CheckLagging();
  CheckTokens(now);
  if (draining_) DrainSome();
}

// Some of them in each tick, in turn.
void SessionTable::CheckLagging() {
  Session* last = nullptr;
  for (size_t i = 0; i < kMostCheckedPerTick && !lagging_.empty(); ++i) {
    Session& session = lagging_.front();
    if (&session == last) break;
    lagging_.pop_front();
    lagging_.push_back(session);
    if (last == nullptr) last = &session;
    session.CheckSlowConsumer();
  }
}

void SessionTable::DrainSome() {
  size_t left = drain_per_tick_;
  for (auto& [id, session] : sessions_) {
    if (left == 0) break;
    if (session->closing()) continue;
    session->RequestClose(Outcome::kShutdown, {});
    --left;
  }
}

std::chrono::milliseconds SessionTable::SlotOf(uint64_t session_id) const {
  return crier::SlotOf(session_id, shard_.options().reconnect_spread);
}

CloseAdvice SessionTable::AdviceOf(uint64_t session_id, Outcome outcome) const {
  if (admin_advice_ != nullptr) return *admin_advice_;
  CloseAdvice advice{.advice = Info(outcome).advice};
  if (advice.advice == Advice::kRetryAfterSlot) advice.retry_after = SlotOf(session_id);
  return advice;
}

bool SessionTable::Disconnect(Session* session, std::string_view detail,
                              const CloseAdvice& advice) {
  if (session->closing()) return false;
  admin_advice_ = &advice;
  session->RequestClose(Outcome::kDisconnectedByAdmin, detail);
  admin_advice_ = nullptr;
  return true;
}

void SessionTable::SetSlot(uint64_t session_id, google::protobuf::Duration* slot) const {
  const int64_t milliseconds = SlotOf(session_id).count();
  slot->set_seconds(static_cast<int64_t>(milliseconds / 1000));
  slot->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
}

}  // namespace crier
