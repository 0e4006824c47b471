// Who may call crier.v1.Admin, and what the log says of it.
#ifndef CRIER_SERVER_ADMIN_ADMIN_ACCESS_H_
#define CRIER_SERVER_ADMIN_ADMIN_ACCESS_H_

#include <optional>
#include <string>
#include <string_view>

#include "server/engine/gate.h"
#include "server/service/caller.h"

namespace crier {

// A refusal, unless the caller has a token with the claim crier.admin. `open`: the server has no
// keys, and everybody who reaches the listener may call. Thread-safe.
std::optional<Refusal> CheckAdmin(const Caller& caller, bool open);

// Notes in the log who did something: the user that the caller's token names, or "local" where
// there is none. One line, whatever `what` holds. Thread-safe.
void LogAction(std::string_view method, const Caller& caller, std::string_view address,
               std::string_view what);

// As a C string would be written, in quotes: for the log.
std::string Quoted(std::string_view text);

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_ADMIN_ACCESS_H_
