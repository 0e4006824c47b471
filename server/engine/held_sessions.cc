#include "server/engine/held_sessions.h"

#include <utility>

#include "server/engine/shard.h"

namespace crier {

void HeldSessions::Hold(Shard* shard, SessionRef session) {
  if (session.id == 0) return;
  sessions_.push_back(session);
  shard->mail().Send(session.shard, HoldMail{.session = session.id, .hold = true});
}

void HeldSessions::ReleaseAll(Shard* shard) {
  for (const SessionRef& session : std::exchange(sessions_, {})) {
    shard->mail().Send(session.shard, HoldMail{.session = session.id, .hold = false});
  }
}

}  // namespace crier
