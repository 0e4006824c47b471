#include "server/engine/post_office.h"

#include <cassert>
#include <utility>

#include "server/engine/engine.h"
#include "server/engine/shard.h"
#include "server/metrics/handler_exceptions.h"

namespace crier {

PostOffice::PostOffice(Shard* shard, size_t shards, MemoryMeter* memory)
    : shard_(*shard), memory_(*memory), lanes_(shards) {}

PostOffice::~PostOffice() {
  for (const Lane& lane : lanes_) {
    memory_.Add(MemoryKind::kMail, -static_cast<int64_t>(lane.outstanding));
  }
}

void PostOffice::Send(size_t to, Mail mail) {
  // Runs on: shard thread
  assert(shard_.IsCurrent());
  if (to == shard_.index()) {
    shard_.Receive(to, std::move(mail));
    return;
  }
  Lane& lane = lanes_[to];
  // Credit itself costs none: it has to get through.
  if (!std::holds_alternative<CreditMail>(mail)) {
    const size_t bytes = BytesOf(mail);
    lane.outbox_bytes += bytes;
    lane.outstanding += bytes;
    memory_.Add(MemoryKind::kMail, static_cast<int64_t>(bytes));
  }
  lane.outbox.push_back(std::move(mail));
  shard_.ScheduleFlush();
}

void PostOffice::SendAll() {
  for (size_t to = 0; to < lanes_.size(); ++to) {
    Lane& lane = lanes_[to];
    if (lane.owed > 0) lane.outbox.push_back(CreditMail{.bytes = std::exchange(lane.owed, 0)});
    if (lane.outbox.empty()) continue;
    Shard& target = shard_.engine().shard(to);
    target.Post([&target, from = shard_.index(), bytes = std::exchange(lane.outbox_bytes, 0),
                 mails = std::exchange(lane.outbox, {})]() mutable {
      for (Mail& mail : mails) {
        // Each by itself: the others of its burst have other senders.
        NoThrow(&target.metrics().handler_exceptions, "another shard's mail",
                [&] { target.Receive(from, std::move(mail)); });
      }
      target.mail().DealtWith(from, bytes);
    });
  }
}

void PostOffice::SlowDown(size_t to, SessionRef session) {
  Lane& lane = lanes_[to];
  if (lane.outstanding >= kCredit) lane.waiting.Hold(&shard_, session);
}

void PostOffice::DealtWith(size_t from, size_t bytes) {
  if (bytes == 0) return;
  lanes_[from].owed += bytes;
  shard_.ScheduleFlush();
}

void PostOffice::Credit(size_t to, size_t bytes) {
  Lane& lane = lanes_[to];
  assert(bytes <= lane.outstanding);
  lane.outstanding -= bytes;
  memory_.Add(MemoryKind::kMail, -static_cast<int64_t>(bytes));
  if (lane.outstanding < kCredit / 2) lane.waiting.ReleaseAll(&shard_);
}

}  // namespace crier
