// Sessions, of any shard, that are not read from until something that they outran has caught up.
#ifndef CRIER_SERVER_ENGINE_HELD_SESSIONS_H_
#define CRIER_SERVER_ENGINE_HELD_SESSIONS_H_

#include <vector>

#include "server/engine/bus.h"

namespace crier {

class Shard;

// Runs on: the shard's thread.
class HeldSessions {
 public:
  // From here on. A session that is held twice is released twice. Id 0: nobody is held.
  void Hold(Shard* shard, SessionRef session);
  void ReleaseAll(Shard* shard);
  bool empty() const { return sessions_.empty(); }

 private:
  std::vector<SessionRef> sessions_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_HELD_SESSIONS_H_
