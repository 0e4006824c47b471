// What a transport implements so that the engine can serve its sessions.
#ifndef CRIER_SERVER_ENGINE_TRANSPORT_H_
#define CRIER_SERVER_ENGINE_TRANSPORT_H_

#include <string_view>

#include "server/base/outcome.h"

namespace crier {

// One connection, as the engine sees it. A transport translates bytes to ClientFrames and ranges of
// logs to bytes, and decides nothing else.
//
// Runs on: the session's shard thread, both functions.
class Transport {
 public:
  virtual ~Transport() = default;

  // The session has something to send. A transport that can write takes it now (Session::Peek,
  // Session::Take); one that can't comes back to the session when it can. Called once per burst of
  // work, not once per event. May end the session (Session::End).
  virtual void Wake() = 0;

  // End this connection for this reason, telling the peer in the transport's own way. What was
  // already taken may still be sent. The transport calls Session::End, now or later, in any case.
  // `detail` is for people; empty: the outcome's own text.
  virtual void Close(Outcome outcome, std::string_view detail) = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_TRANSPORT_H_
