// Sockets that listen, for the addresses of one host.
#ifndef CRIER_SERVER_NET_LISTEN_SOCKET_H_
#define CRIER_SERVER_NET_LISTEN_SOCKET_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/net/listen_address.h"
#include "server/net/unique_fd.h"

namespace crier {

struct ListenSocket {
  UniqueFd fd;            // non-blocking, close-on-exec
  SocketAddress address;  // with its real port
};

// Listens on `addresses`, which are those of `host` (see Resolve). With port 0 all of them get the
// port that the first one gets; only where that fails ten times, each gets one of its own. Of
// several addresses, those that this machine does not have are left out, which is logged; one has
// to remain.
//
// The status names the host as it was written, the address and the reason, for people.
absl::StatusOr<std::vector<ListenSocket>> OpenListenSockets(
    const ListenAddress& host, const std::vector<SocketAddress>& addresses);

}  // namespace crier

#endif  // CRIER_SERVER_NET_LISTEN_SOCKET_H_
