#include "server/transport/connection_set.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace crier {

ConnectionSet::ConnectionSet(Shard* shard)
    : shard_(shard), poller_(shard->io()), receive_buffer_(new char[kReceiveBytes]) {}

ConnectionSet::~ConnectionSet() { DestroyConnections(); }

void ConnectionSet::DestroyConnections() {
  ForEach([](PolledConnection* connection) { delete connection; });
}

absl::Status ConnectionSet::Start(bool io_uring) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  poller_.set_now(shard_->clock().Now());
  tick_ = TickOf(poller_.now());
  if (io_uring) {
    if (const absl::Status status = sends_.Start(); !status.ok()) {
      spdlog::info("shard {} sends one by one: {}", shard_->index(), status.ToString());
    }
  }
  return poller_.Start();
}

void ConnectionSet::Add(std::unique_ptr<PolledConnection> connection, TimePoint check_at) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  ++size_;
  PolledConnection* added = connection.release();
  Link(added, check_at);
  if (stopping_) added->GoAway();
}

void ConnectionSet::CheckAt(PolledConnection* connection, TimePoint at) {
  if (connection->removed_) return;
  connection->unlink();
  Link(connection, at);
}

void ConnectionSet::Link(PolledConnection* connection, TimePoint at) {
  constexpr int64_t kTurn = kSlots;
  // Rounded up: what is called early would have to be called again.
  const int64_t tick = std::clamp(TickOf(at) + 1, tick_ + 1, tick_ + kTurn - 1);
  wheel_[static_cast<size_t>(tick % kTurn)].push_back(*connection);
}

void ConnectionSet::Remove(PolledConnection* connection) {
  // Runs on: shard thread
  assert(shard_->IsCurrent() && !connection->removed_);
  connection->unlink();
  connection->removed_ = true;
  --size_;
  graveyard_.emplace_back(connection);
  if (graveyard_.size() == 1) poller_.Defer([this] { Bury(); });
}

void ConnectionSet::Bury() {
  std::exchange(graveyard_, {}).clear();
  if (stopping_ && size_ == 0 && graveyard_.empty() && stopped_) {
    poller_.Stop();
    std::exchange(stopped_, nullptr)();  // may destroy *this
  }
}

void ConnectionSet::Tick(TimePoint now) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  poller_.set_now(now);
  const int64_t tick = TickOf(now);
  // After a long pause one turn reaches every slot.
  int64_t next = std::max(tick_ + 1, tick - static_cast<int64_t>(kSlots) + 1);
  List due;
  for (; next <= tick; ++next) {
    due.splice(due.end(), wheel_[static_cast<size_t>(next % static_cast<int64_t>(kSlots))]);
  }
  tick_ = std::max(tick_, tick);
  while (!due.empty()) {
    PolledConnection* connection = &due.front();
    connection->unlink();
    const TimePoint again = connection->CheckDeadlines(now);
    if (!connection->removed_ && !connection->is_linked()) Link(connection, again);
  }
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

void ConnectionSet::Stop(absl::AnyInvocable<void()> done) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  stopping_ = true;
  stopped_ = std::move(done);
  ForEach([](PolledConnection* connection) { connection->GoAway(); });
  shard_->Post([this] { Bury(); });
}

void ConnectionSet::HardCloseAll() {
  ForEach([](PolledConnection* connection) { connection->HardClose(); });
}

}  // namespace crier
