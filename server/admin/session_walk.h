// Looks at the sessions of all shards, a bounded number in each turn: one shard after the other,
// and on each in the order of their ids.
#ifndef CRIER_SERVER_ADMIN_SESSION_WALK_H_
#define CRIER_SERVER_ADMIN_SESSION_WALK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "server/engine/engine.h"

namespace crier {

// The place in a walk behind which it goes on.
struct WalkCursor {
  size_t shard = 0;
  uint64_t after = 0;

  // For clients; empty text: the beginning. nullopt: it is not of that form.
  std::string Text() const;
  static std::optional<WalkCursor> Parse(std::string_view text);
};

// What a walk calls. Runs on: the session's shard's thread; never two at a time. False: the walk
// ends behind this session.
using VisitSession = absl::AnyInvocable<bool(Session& session)>;

struct WalkEnd {
  std::optional<WalkCursor> next = {};  // nullopt: it has seen all sessions
  bool failed = false;                  // a visit has thrown
};
using WalkDone = absl::AnyInvocable<void(WalkEnd)>;

// Visits the sessions behind `from`, at most `most` of them. A session that is there all the time
// is visited once. `done` runs on the thread of `asker`, which is the caller's; not if the engine
// stops before. `engine` outlives the walk.
void WalkSessions(Engine* engine, Shard* asker, WalkCursor from, size_t most, VisitSession visit,
                  WalkDone done);

// Looks for one session, and hands it to `found` on its shard's thread. `done`, as above, is told
// whether it was there.
void FindSession(Engine* engine, Shard* asker, uint64_t id,
                 absl::AnyInvocable<void(Session& session)> found,
                 absl::AnyInvocable<void(bool)> done);

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_SESSION_WALK_H_
