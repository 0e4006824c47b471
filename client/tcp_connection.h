// A TCP connection. Every wait has a deadline.
#ifndef CRIER_CLIENT_TCP_CONNECTION_H_
#define CRIER_CLIENT_TCP_CONNECTION_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/tls.h"

namespace crier::client {

inline constexpr std::string_view kHttpListen = "http_listen";
inline constexpr std::string_view kGrpcListen = "grpc_listen";
inline constexpr std::string_view kAdminListen = "admin_listen";

// Why no session came about: the status of TcpConnection::Connect where that fails within a second,
// else `otherwise`. For libraries that hide the reason; connects once more.
absl::Status WhyNoSession(const std::string& host, const std::string& port,
                          std::string_view listen_flag, absl::Status otherwise);

// A non-blocking socket and poll. After an error it can only be destroyed. Not thread-safe.
class TcpConnection {
 public:
  // `host` is a name or an address without brackets. UNAVAILABLE where nobody answers in time; the
  // message says how to start a server there, for which `listen_flag` is crierd's flag:
  // kHttpListen or kGrpcListen.
  static absl::StatusOr<TcpConnection> Connect(const std::string& host, const std::string& port,
                                               absl::Time deadline, std::string_view listen_flag);
  ~TcpConnection();

  // From now on the bytes go through TLS. UNAVAILABLE: there was no handshake in time, or the
  // server is not whom the client trusts. Other errors: as of NewTls.
  absl::Status StartTls(const TlsFiles& files, const std::string& host, absl::Time deadline);

  TcpConnection(TcpConnection&& other) noexcept;
  TcpConnection& operator=(TcpConnection&&) = delete;

  // Sends all of it. UNAVAILABLE: the connection broke, or the peer took no bytes in time.
  absl::Status Write(std::string_view bytes, absl::Time deadline);

  // Waits for bytes and appends them to *bytes. OUT_OF_RANGE: the peer has ended its side.
  // UNAVAILABLE: the connection broke. DEADLINE_EXCEEDED: nothing came.
  absl::Status Read(std::string* bytes, absl::Time deadline);

 private:
  explicit TcpConnection(int fd) : fd_(fd) {}

  // Waits as TLS needs it after a call with this result. OK: call again.
  absl::Status WaitForTls(int result, absl::Time deadline);

  int fd_;  // -1: moved from.
  SslPtr tls_;
};

}  // namespace crier::client

#endif  // CRIER_CLIENT_TCP_CONNECTION_H_
