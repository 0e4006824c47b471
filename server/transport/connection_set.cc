#include "server/transport/connection_set.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace crier {

ConnectionSet::ConnectionSet(Shard* shard)
    : shard_(shard),
      poller_(shard->io(), &shard->metrics().handler_exceptions),
      tls_(&shard->memory(), &shard->metrics()) {}

ConnectionSet::~ConnectionSet() { DestroyConnections(); }

void ConnectionSet::DestroyConnections() {
  ForEach([](PolledConnection* connection) { delete connection; });
}

absl::Status ConnectionSet::Start(bool io_uring) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  time_.Start(shard_->clock().Now());
  poller_.set_now(time_.now());
  tick_ = TickOf(poller_.now());
  if (io_uring) {
    if (const absl::Status status = sends_.Start(); !status.ok()) {
      spdlog::info(
          "shard {}: each send is a system call of its own, because io_uring is not available: {}",
          shard_->index(), status.ToString());
    }
  }
  poller_.AfterEach([this] { shard_->FlushIfHurried(); });
  return poller_.Start();
}

std::unique_ptr<TlsSession> ConnectionSet::NewTls(const TlsContext* context, TlsProtocol protocol) {
  if (context == nullptr) return nullptr;
  return std::make_unique<TlsSession>(context->NewSession(protocol), &tls_);
}

void ConnectionSet::Add(std::unique_ptr<PolledConnection> connection, TimePoint check_at) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  ++size_;
  PolledConnection* added = connection.release();
  Link(added, check_at);
  if (announced_) Guard(added, [added] { added->Announce(); });
  if (stopping_) Guard(added, [added] { added->GoAway(); });
}

void ConnectionSet::CheckAt(PolledConnection* connection, TimePoint at) {
  if (connection->removed_ || connection->failed_) return;
  connection->unlink();
  Link(connection, at);
}

void ConnectionSet::Link(PolledConnection* connection, TimePoint at) {
  constexpr int64_t kTurn = kSlots;
  // Rounded up: a connection that is called too early has to be called again.
  const int64_t tick = std::clamp(TickOf(at) + 1, tick_ + 1, tick_ + kTurn - 1);
  wheel_[static_cast<size_t>(tick % kTurn)].push_back(*connection);
}

void ConnectionSet::Remove(PolledConnection* connection) {
  // Runs on: shard thread
  assert(shard_->IsCurrent() && !connection->removed_);
  if (!connection->failed_) MoveToGraveyard(connection);
}

void ConnectionSet::MoveToGraveyard(PolledConnection* connection) {
  connection->unlink();
  connection->removed_ = true;
  --size_;
  graveyard_.emplace_back(connection);
  if (graveyard_.size() == 1) poller_.Defer([this] { Bury(); });
}

void ConnectionSet::Fail(PolledConnection* connection) noexcept {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  if (connection->removed_ || std::exchange(connection->failed_, true)) return;
  connection->unlink();
  Link(connection, poller_.now() + kFailedTime);
  NoThrow(exceptions(), "a connection's end", [connection] { connection->OnFailed(); });
}

void ConnectionSet::Bury() {
  std::exchange(graveyard_, {}).clear();
  if (stopping_ && size_ == 0 && graveyard_.empty() && stopped_) {
    poller_.Stop();
    std::exchange(stopped_, nullptr)();  // may destroy *this
  }
}

void ConnectionSet::Tick(TimePoint clock) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  const bool may_judge = time_.Tick(clock);
  const TimePoint now = time_.now();
  poller_.set_now(now);
  // The next tick does what is due now; what has come is read in between.
  if (!may_judge) return;
  const int64_t tick = TickOf(now);
  // One turn reaches every slot.
  int64_t next = std::max(tick_ + 1, tick - static_cast<int64_t>(kSlots) + 1);
  List due;
  for (; next <= tick; ++next) {
    due.splice(due.end(), wheel_[static_cast<size_t>(next % static_cast<int64_t>(kSlots))]);
  }
  tick_ = std::max(tick_, tick);
  while (!due.empty()) {
    PolledConnection* connection = &due.front();
    connection->unlink();
    Look(connection, now);
  }
}

void ConnectionSet::Look(PolledConnection* connection, TimePoint now) {
  if (connection->failed_) return MoveToGraveyard(connection);
  TimePoint again = now;
  Guard(connection, [&] { again = connection->CheckDeadlines(now); });
  if (!connection->removed_ && !connection->is_linked()) Link(connection, again);
}

template <class Action>
void ConnectionSet::ForEach(Action action) {
  std::vector<PolledConnection*> all;
  all.reserve(size_);
  for (List& slot : wheel_) {
    for (PolledConnection& connection : slot) all.push_back(&connection);
  }
  for (PolledConnection* connection : all) action(connection);
}

void ConnectionSet::AnnounceStop() {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  announced_ = true;
  ForEach([this](PolledConnection* connection) {
    if (!connection->failed_) Guard(connection, [connection] { connection->Announce(); });
  });
}

void ConnectionSet::Stop(absl::AnyInvocable<void()> done) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  stopping_ = true;
  stopped_ = std::move(done);
  ForEach([this](PolledConnection* connection) {
    if (!connection->failed_) Guard(connection, [connection] { connection->GoAway(); });
  });
  shard_->Post([this] { Bury(); });
}

void ConnectionSet::HardCloseAll() {
  ForEach([this](PolledConnection* connection) {
    if (!connection->failed_) Guard(connection, [connection] { connection->HardClose(); });
  });
}

}  // namespace crier
