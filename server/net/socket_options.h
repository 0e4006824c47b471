// TCP options of accepted connections, and what the kernel knows of one. Each setter returns false
// where the kernel refuses, which is no reason to give the connection up.
#ifndef CRIER_SERVER_NET_SOCKET_OPTIONS_H_
#define CRIER_SERVER_NET_SOCKET_OPTIONS_H_

#include <cstdint>

namespace crier {

// A backlog is to wait in the log and not in the kernel: measured with a client that does not read,
// the kernel takes 135 KB with this mark, 2.9 MB without it.
inline constexpr int kNotSentLowWaterBytes = 16 << 10;

// TCP_NODELAY: small writes leave at once. The acceptor sets it on every connection.
bool SetNoDelay(int fd);

// TCP_NOTSENT_LOWAT: the socket is writable only while fewer bytes than this wait unsent in it.
bool SetNotSentLowWater(int fd, int bytes = kNotSentLowWaterBytes);

// What was sent on a connection, as the peer's TCP has acknowledged it.
struct SendProgress {
  bool pending = false;         // some bytes have not been acknowledged
  bool retransmitting = false;  // and the peer's TCP is silent
  uint32_t acknowledged = 0;  // bytes, from the connection's start; the lowest 32 bits of the count
};
// Of a socket that is no TCP connection: nothing pending, nothing acknowledged.
SendProgress SendProgressOf(int fd);

}  // namespace crier

#endif  // CRIER_SERVER_NET_SOCKET_OPTIONS_H_
