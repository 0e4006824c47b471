// Plain TCP and HTTP to a server on this machine.
#ifndef CRIER_TESTS_SUPPORT_LOOPBACK_H_
#define CRIER_TESTS_SUPPORT_LOOPBACK_H_

#include <chrono>
#include <string>
#include <string_view>

#include "server/net/unique_fd.h"

namespace crier::testing {

// A connection to "127.0.0.1:PORT"; invalid if it is refused.
UniqueFd ConnectTo(const std::string& address);

// False: the connection is broken.
bool SendAll(int fd, std::string_view bytes);

// Reads until the peer closes, or until what was read contains `end`, or until `patience` is over.
std::string ReadUntil(int fd, std::string_view end,
                      std::chrono::milliseconds patience = std::chrono::seconds(10));

// True once the peer has closed the connection; waits for that up to `patience`, and drops what it
// sent before.
bool WaitForClose(int fd, std::chrono::milliseconds patience = std::chrono::seconds(10));

// The whole answer to GET, header and all; empty if there is none.
std::string HttpGet(const std::string& address, const std::string& path);

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_LOOPBACK_H_
