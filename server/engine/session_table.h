// The sessions of a shard: who is there, who may yet say hello, and who leaves when in a drain.
#ifndef CRIER_SERVER_ENGINE_SESSION_TABLE_H_
#define CRIER_SERVER_ENGINE_SESSION_TABLE_H_

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "crier/v1/message.pb.h"
#include "server/base/clock.h"
#include "server/base/outcome.h"
#include "server/engine/session.h"
#include "server/engine/session_index.h"
#include "server/engine/session_observer.h"

namespace crier {

class Shard;

// What a session that is closed is told about coming back.
struct CloseAdvice {
  Advice advice = Advice::kNone;
  std::optional<std::chrono::milliseconds> retry_after = {};
};

// Runs on: shard thread, all of it.
class SessionTable {
 public:
  // `shard` outlives this object.
  explicit SessionTable(Shard* shard) : shard_(*shard) {}
  ~SessionTable();

  // The table owns the session, until Destroy.
  Session* Open(SessionOptions options);
  void Destroy(Session* session);
  // Null: it is not here, or no more.
  Session* Find(uint64_t id);
  size_t size() const { return sessions_.size(); }
  // The one with the smallest id above `after`; null: there is none. For walks, a few sessions in
  // each turn: what comes and goes meanwhile does not disturb them.
  Session* Next(uint64_t after) { return Find(index_.Next(after)); }

  // Is told of sessions from now on. Null: nobody is. It has to outlive that.
  void set_observer(SessionObserver* observer) { observer_ = observer; }
  SessionObserver* observer() const { return observer_; }

  // The session's first frame is waited for, until EngineOptions::hello_timeout.
  void ExpectHello(uint64_t id);

  // The session waits for its token, until EngineOptions::token_timeout.
  void ExpectToken(uint64_t id);
  // The session's token ends then, in seconds since 1970, and the session with it; 0: never. Each
  // SetEnd is followed by one ClearEnd, at the latest when the session ends.
  void SetEnd(uint64_t id, int64_t ends_at);
  void ClearEnd(uint64_t id, int64_t ends_at);

  // Tells every session when to come back, and closes them: few at once, many spread over up to
  // `spread`. Calls `done` once none is left. Once.
  void StartDrain(std::chrono::milliseconds spread, absl::AnyInvocable<void()> done);

  // The session is blocked. It leaves the list by itself.
  void AddLagging(Session* session) { lagging_.push_back(*session); }

  // Every kTickInterval.
  void Tick(TimePoint now);

  // How long a session should wait before it comes back: its own slot.
  std::chrono::milliseconds SlotOf(uint64_t session_id) const;
  void SetSlot(uint64_t session_id, google::protobuf::Duration* slot) const;
  // What a session with this outcome is told: what the outcome's row says, with the session's slot;
  // or what an administrator has said, while Transport::Close is called for him.
  CloseAdvice AdviceOf(uint64_t session_id, Outcome outcome) const;
  // Closes it with DISCONNECTED_BY_ADMIN. False: it is closing already.
  bool Disconnect(Session* session, std::string_view detail, const CloseAdvice& advice);

 private:
  void DrainSome();

  using SessionList = boost::intrusive::list<Session, boost::intrusive::base_hook<ReadyHook>,
                                             boost::intrusive::constant_time_size<false>>;

  void CheckLagging();
  void CheckTokens(TimePoint now);

  Shard& shard_;
  SessionList lagging_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Session>> sessions_;
  SessionIndex index_;
  SessionObserver* observer_ = nullptr;
  const CloseAdvice* admin_advice_ = nullptr;  // null: Disconnect is not on the stack
  struct Expected {
    uint64_t id;
    TimePoint until;
  };
  std::deque<Expected> expected_;         // the earliest first
  std::deque<Expected> tokens_expected_;  // the earliest first
  // When tokens end, in seconds since 1970, and whose they are.
  std::set<std::pair<int64_t, uint64_t>> ends_;

  bool draining_ = false;
  size_t drain_per_tick_ = 0;
  absl::AnyInvocable<void()> drained_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SESSION_TABLE_H_
