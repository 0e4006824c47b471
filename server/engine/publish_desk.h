// What happens to a publication at its home: the id that was sent before, the topic's log or the
// recipient's mailboxes, and the answer.
#ifndef CRIER_SERVER_ENGINE_PUBLISH_DESK_H_
#define CRIER_SERVER_ENGINE_PUBLISH_DESK_H_

#include <span>
#include <string_view>

#include "server/engine/bus.h"
#include "server/engine/sent_ids.h"

namespace crier {

class Shard;

// The answer where the memory budget is used up.
PublishResult OverloadedResult();

// Whoever published wants to know of this result.
inline bool IsTold(const PublishReply& reply, const PublishResult& result) {
  return reply.done != nullptr || !reply.id.empty() || result.outcome != Outcome::kOk;
}

// Runs on: shard thread, all of it.
class PublishDesk {
 public:
  // `shard` outlives this object.
  explicit PublishDesk(Shard* shard);

  // Whoever waits for an answer gets one, also where an exception falls in between (INTERNAL).
  // REQUIRES: the publication's home is here.
  void Take(Publication publication);

  // From a SharedBus: a message to a user, for the user's sessions on this node.
  void Deliver(Publication publication);
  // From a SharedBus: such messages may have been lost.
  void TellMissed(std::string_view user);

  void Expire(TimePoint now) { ids_.Expire(now); }

 private:
  PublishResult Decide(Publication* publication);
  PublishResult Accept(Publication* publication);
  PublishResult DeliverDirect(Publication* publication);
  void HandOut(Publication* publication, std::span<const SessionRef> recipients);

  Shard& shard_;
  SentIds ids_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_PUBLISH_DESK_H_
