// A shard's mail to the other shards.
//
// Mail gathers while a burst of work goes on, and leaves together at its end, in order.
//
// Backpressure: what is on its way to a shard, or lies there and is not dealt with, has a limit in
// bytes for each pair of shards (its credit), which the receiver gives back as it deals with mail.
// A session whose publish found no credit left is not read from until there is some again. So who
// publishes faster than another shard can follow is slowed by its own TCP or HTTP/2, and nobody
// else is.
#ifndef CRIER_SERVER_ENGINE_POST_OFFICE_H_
#define CRIER_SERVER_ENGINE_POST_OFFICE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/engine/held_sessions.h"
#include "server/engine/mail.h"
#include "server/engine/memory_budget.h"

namespace crier {

class Shard;

// Runs on: shard thread, all of it.
class PostOffice {
 public:
  // On the way to one shard, or unread there: a few milliseconds of work.
  static constexpr size_t kCredit = 256 << 10;

  // Both outlive this object.
  PostOffice(Shard* shard, size_t shards, MemoryMeter* memory);
  ~PostOffice();

  // To shard `to`. For this shard itself: dealt with at once.
  void Send(size_t to, Mail mail);
  // What has gathered leaves.
  void SendAll();

  // `session`, which has given rise to mail for shard `to`, is not read from while there is no
  // credit.
  void SlowDown(size_t to, SessionRef session);

  // A batch of `bytes` from shard `from` was dealt with.
  void DealtWith(size_t from, size_t bytes);
  // Shard `to` has dealt with so many bytes.
  void Credit(size_t to, size_t bytes);

 private:
  // To one shard.
  struct Lane {
    std::vector<Mail> outbox;
    size_t outbox_bytes = 0;
    size_t outstanding = 0;  // of what has no credit back yet
    size_t owed = 0;         // credit for that shard, not sent yet
    HeldSessions waiting;
  };

  Shard& shard_;
  MemoryMeter& memory_;
  std::vector<Lane> lanes_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_POST_OFFICE_H_
