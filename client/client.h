// A session with a crier server, over either transport.
#ifndef CRIER_CLIENT_CLIENT_H_
#define CRIER_CLIENT_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "crier/v1/message.pb.h"

namespace crier::client {

struct ConnectOptions {
  // Who to be, where the server does not authenticate; empty: nobody.
  std::string user;
  // For the connection and the handshake together.
  absl::Duration timeout = absl::Seconds(10);
};

// One live session. Blocking; for one thread. A program of thousands of clients wants an event loop
// of its own (client/bench is one).
class Client {
 public:
  virtual ~Client() = default;

  // UNAVAILABLE where the session has ended.
  virtual absl::Status Send(const v1::ClientFrame& frame) = 0;

  // The next event. DEADLINE_EXCEEDED: none came, the session goes on. UNAVAILABLE: the session has
  // ended; the message says why. DATA_LOSS: the server sent what it must not send.
  virtual absl::StatusOr<v1::Event> Receive(absl::Time deadline) = 0;

  // Ends the session in good order. Waits for the server's answer, a second at most.
  virtual void Close() = 0;
};

// `url` is ws://HOST:PORT/ws. Speaks the plain dialect, so there is no Welcome.
// Errors: INVALID_ARGUMENT for the URL, UNAVAILABLE where no session comes about.
absl::StatusOr<std::unique_ptr<Client>> ConnectWebSocket(const std::string& url,
                                                         const ConnectOptions& options);

// `address` is HOST:PORT. The first event is Welcome. Errors: as above.
absl::StatusOr<std::unique_ptr<Client>> ConnectGrpc(const std::string& address,
                                                    const ConnectOptions& options);

}  // namespace crier::client

#endif  // CRIER_CLIENT_CLIENT_H_
