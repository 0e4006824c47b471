// A TCP connection whose every wait has a deadline.
#ifndef CRIER_CLIENT_TCP_CONNECTION_H_
#define CRIER_CLIENT_TCP_CONNECTION_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace crier::client {

// A non-blocking socket and poll. After an error it can only be destroyed. Not thread-safe.
class TcpConnection {
 public:
  // `host` is a name or an address without brackets. UNAVAILABLE where nobody answers in time.
  static absl::StatusOr<TcpConnection> Connect(const std::string& host, const std::string& port,
                                               absl::Time deadline);
  ~TcpConnection();

  TcpConnection(TcpConnection&& other) noexcept;
  TcpConnection& operator=(TcpConnection&&) = delete;

  // Sends all of it. UNAVAILABLE: the connection broke, or the peer took no bytes in time.
  absl::Status Write(std::string_view bytes, absl::Time deadline);

  // Waits for bytes and appends them to *bytes; OUT_OF_RANGE where the peer has ended its side.
  // UNAVAILABLE: the connection broke. DEADLINE_EXCEEDED: nothing came.
  absl::Status Read(std::string* bytes, absl::Time deadline);

 private:
  explicit TcpConnection(int fd) : fd_(fd) {}

  int fd_;  // -1: moved from.
};

}  // namespace crier::client

#endif  // CRIER_CLIENT_TCP_CONNECTION_H_
