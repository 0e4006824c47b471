// A session with a crier server, over either transport.
#ifndef CRIER_CLIENT_CLIENT_H_
#define CRIER_CLIENT_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/tls.h"
#include "crier/v1/message.pb.h"

namespace crier::client {

struct ConnectOptions {
  // The user, if the server does not authenticate. Empty: none.
  std::string user;
  // Sent as "Authorization: Bearer TOKEN". Empty: none.
  std::string token;
  // For the connection and the handshake together.
  absl::Duration timeout = absl::Seconds(10);
  // For wss://, and for gRPC where `grpc_tls` is set or there are files.
  TlsFiles tls;
  bool grpc_tls = false;
};

// One live session. Blocking, and for one thread. A program with thousands of clients needs its own
// event loop (client/bench has one).
class Client {
 public:
  virtual ~Client() = default;

  // UNAVAILABLE: the session has ended.
  virtual absl::Status Send(const v1::ClientFrame& frame) = 0;

  // The next event. DEADLINE_EXCEEDED: none came, and the session continues. UNAVAILABLE: the
  // session has ended; the message says why. DATA_LOSS: the server broke the protocol.
  virtual absl::StatusOr<v1::Event> Receive(absl::Time deadline) = 0;

  // Ends the session cleanly. Waits at most a second for the server's answer.
  virtual void Close() = 0;
};

// `url` is ws://HOST:PORT/ws, or wss:// for TLS. Speaks the plain dialect, so there is no Welcome.
// Errors: INVALID_ARGUMENT for the URL or a file, UNAVAILABLE if there is no session.
absl::StatusOr<std::unique_ptr<Client>> ConnectWebSocket(const std::string& url,
                                                         const ConnectOptions& options);

// `address` is HOST:PORT. The first event is Welcome. Sends an empty Hello, so the session gets
// events from now on. Errors: as above.
absl::StatusOr<std::unique_ptr<Client>> ConnectGrpc(const std::string& address,
                                                    const ConnectOptions& options);

}  // namespace crier::client

#endif  // CRIER_CLIENT_CLIENT_H_
