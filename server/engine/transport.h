// What a transport implements so that the engine can serve its sessions.
#ifndef CRIER_SERVER_ENGINE_TRANSPORT_H_
#define CRIER_SERVER_ENGINE_TRANSPORT_H_

#include <string>
#include <string_view>

#include "server/base/outcome.h"

namespace crier {

// One connection, as the engine sees it. A transport translates bytes to ClientFrames and ranges of
// logs to bytes, and decides nothing else.
//
// Runs on: the session's shard thread, all functions.
class Transport {
 public:
  virtual ~Transport() = default;

  // The session has something to send. A transport that can write takes it now (Session::Peek,
  // Session::Take); one that can't comes back to the session when it can. Called once per burst of
  // work, not once per event. May end the session (Session::End).
  virtual void Wake() = 0;

  // End this connection for this reason, telling the peer in the transport's own way. What was
  // already taken may still be sent. `detail` is for people; empty: the outcome's own text.
  //
  // The transport calls Session::End later, in any case, and never before control has returned to
  // the shard's loop: the caller may be in the middle of handling a frame, of lending ranges, or of
  // going over all of its sessions, which End takes this one from. Session::End asserts it.
  virtual void Close(Outcome outcome, std::string_view detail) = 0;

  // Input has to follow output (Session::HoldReading): from PauseReading to ResumeReading the
  // transport calls neither Session::Handle nor Session::Refuse. What it has received and not
  // handed on it keeps, and hands on later, in order; it takes no more from the peer than what it
  // keeps has room for (websocket/connection.h, grpc/call.h), so that TCP and HTTP/2 slow the peer
  // down. Sending goes on. That the connection broke is still noticed, and so is what the peer says
  // of its end where that takes no reading of what it sent before.
  //
  // Both may be called at any time, from inside Session::Handle too, and any number of times.
  // ResumeReading hands nothing on from inside itself. Once the connection comes to its end (Close,
  // Session::End) neither means anything. The frames of one request that holds several (gRPC's
  // Subscribe) are handled together.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;

  // The client's address, without its port; empty: it is not known. Asked seldom: it may cost a
  // system call.
  virtual std::string PeerAddress() const { return {}; }
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_TRANSPORT_H_
