// What is open to whoever reaches the server from another machine.
#ifndef CRIER_SERVER_EXPOSURE_H_
#define CRIER_SERVER_EXPOSURE_H_

#include <string>

#include "absl/status/status.h"
#include "server/options.h"

namespace crier {

// What others could do who reach the ports, in one line for the log. Empty: nothing that was not
// meant, or only this machine reaches them. Resolves names; one that has no address counts as
// reached by nobody, because listening there fails.
std::string ExposureOf(const ServerOptions& options);

// Other machines may reach the administrators' listener.
bool IsAdminReachedByOthers(const ServerOptions& options);

// An error where something is open and options.insecure does not say that it may be. One line that
// names the flags that would protect it.
absl::Status CheckExposure(const ServerOptions& options);

}  // namespace crier

#endif  // CRIER_SERVER_EXPOSURE_H_
