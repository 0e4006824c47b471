// WebSocket or gRPC clients that cost almost nothing, in the same thread as their server: a socket
// each and one buffer for all. They use read and write, which the server does not use, and count
// them. So their system calls can be separated from the server's.
#ifndef CRIER_TESTS_BENCH_GUARD_CLIENTS_H_
#define CRIER_TESTS_BENCH_GUARD_CLIENTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/net/unique_fd.h"

namespace crier::guard {

// Says what is wrong and ends the program with this status.
[[noreturn]] void Fail(const std::string& what, int status = 2);

enum class Protocol { kWebSocket, kGrpc };

// A client's text frame with a short message, masked as it has to be.
std::string ClientFrame(std::string_view payload);
// A short message of a client's, in a DATA frame of the only stream.
std::string GrpcFrame(std::string_view payload);

class GuardClients {
 public:
  // Room for this many, so that none is allocated later.
  GuardClients(Protocol protocol, size_t most) : protocol_(protocol) { fds_.reserve(most); }

  // A new client, connected; returns the server's end. The pair is local to the machine's kernel
  // and synchronous: what is written can be read at once, however busy the machine is.
  UniqueFd Add();
  size_t count() const { return fds_.size(); }

  // --- Any of these may fail the program; no wait.

  void SendUpgrade(size_t client, std::string_view user);
  // HTTP/2's preface, with windows that are never used up, and a Connect call.
  void SendCall(size_t client, std::string_view user);
  // Takes the answer to it.
  void TakeUpgrade(size_t client);
  void Write(size_t client, std::string_view bytes);
  // Reads what is there, which has to be whole frames; returns their number, of HTTP/2's only those
  // with data. 0: nothing is there.
  size_t ReadFrames(size_t client);

  // Since the program's start.
  uint64_t reads() const { return reads_; }
  uint64_t writes() const { return writes_; }

 private:
  // Into buffer_; what came.
  std::string_view Read(size_t client);

  static constexpr size_t kBufferBytes = 64 << 10;

  const Protocol protocol_;
  std::vector<UniqueFd> fds_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  uint64_t reads_ = 0;
  uint64_t writes_ = 0;
};

}  // namespace crier::guard

#endif  // CRIER_TESTS_BENCH_GUARD_CLIENTS_H_
