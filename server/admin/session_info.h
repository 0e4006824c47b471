// Sessions as crier.v1.Admin shows them.
#ifndef CRIER_SERVER_ADMIN_SESSION_INFO_H_
#define CRIER_SERVER_ADMIN_SESSION_INFO_H_

#include "crier/v1/admin.pb.h"
#include "server/engine/session.h"

namespace crier {

// Runs on: the session's shard's thread, all of it.

// Asks the session's socket for its peer: a system call.
void DescribeSession(const Session& session, v1::SessionInfo* info);
void DescribeSession(const Session& session, v1::SessionDetails* details);

// Everything that is set applies to it. What costs least is looked at first.
bool Matches(const Session& session, const v1::SessionFilter& filter);

v1::Transport TransportOf(const Session& session);

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_SESSION_INFO_H_
