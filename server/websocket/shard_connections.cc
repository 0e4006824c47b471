#include "server/websocket/shard_connections.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace crier {

ShardConnections::ShardConnections(Shard* shard)
    : shard_(shard),
      poller_(shard->io()),
      receive_buffer_(new char[kReceiveBytes]),
      spare_streams_(shard->io()),
      eager_(shard->io()) {}

ShardConnections::~ShardConnections() {
  ForEach([](ShardConnection* connection) { delete connection; });
}

absl::Status ShardConnections::Start() {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  poller_.set_now(shard_->clock().Now());
  tick_ = TickOf(poller_.now());
  return poller_.Start();
}

void ShardConnections::Add(std::unique_ptr<ShardConnection> connection, TimePoint check_at) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  ++size_;
  ShardConnection* added = connection.release();
  Link(added, check_at);
  if (stopping_) added->GoAway();
}

void ShardConnections::CheckAt(ShardConnection* connection, TimePoint at) {
  if (connection->removed_) return;
  connection->unlink();
  Link(connection, at);
}

void ShardConnections::Link(ShardConnection* connection, TimePoint at) {
  constexpr int64_t kTurn = kSlots;
  // Rounded up: what is called early would have to be called again.
  const int64_t tick = std::clamp(TickOf(at) + 1, tick_ + 1, tick_ + kTurn - 1);
  wheel_[static_cast<size_t>(tick % kTurn)].push_back(*connection);
}

void ShardConnections::Remove(ShardConnection* connection) {
  // Runs on: shard thread
  assert(shard_->IsCurrent() && !connection->removed_);
  connection->unlink();
  connection->removed_ = true;
  --size_;
  graveyard_.emplace_back(connection);
  if (graveyard_.size() == 1) poller_.Defer([this] { Bury(); });
}

void ShardConnections::Bury() {
  std::exchange(graveyard_, {}).clear();
  if (stopping_ && size_ == 0 && graveyard_.empty() && stopped_) {
    poller_.Stop();
    std::exchange(stopped_, nullptr)();  // may destroy *this
  }
}

void ShardConnections::Tick(TimePoint now) {
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
    ShardConnection* connection = &due.front();
    connection->unlink();
    const TimePoint again = connection->CheckDeadlines(now);
    if (!connection->removed_ && !connection->is_linked()) Link(connection, again);
  }
}

template <class Action>
void ShardConnections::ForEach(Action action) {
  std::vector<ShardConnection*> all;
  all.reserve(size_);
  for (List& slot : wheel_) {
    for (ShardConnection& connection : slot) all.push_back(&connection);
  }
  for (ShardConnection* connection : all) action(connection);
}

void ShardConnections::Stop(absl::AnyInvocable<void()> done) {
  // Runs on: shard thread
  assert(shard_->IsCurrent());
  stopping_ = true;
  stopped_ = std::move(done);
  ForEach([](ShardConnection* connection) { connection->GoAway(); });
  shard_->Post([this] { Bury(); });
}

void ShardConnections::HardCloseAll() {
  ForEach([](ShardConnection* connection) { connection->HardClose(); });
}

}  // namespace crier
