// Who wants to know which sessions come and go.
#ifndef CRIER_SERVER_ENGINE_SESSION_OBSERVER_H_
#define CRIER_SERVER_ENGINE_SESSION_OBSERVER_H_

#include "server/base/outcome.h"

namespace crier {

class Session;

// Of one shard's sessions. Runs on: that shard's thread. It changes no session.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // It may have no user yet.
  virtual void OnBegun(const Session& session) = 0;
  virtual void OnLagging(const Session& session) = 0;
  // Its connection may be closed already.
  virtual void OnEnded(const Session& session, Outcome outcome) = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_SESSION_OBSERVER_H_
