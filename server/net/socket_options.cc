#include "server/net/socket_options.h"

#include <linux/tcp.h>  // the C library's tcp_info ends before the counts of bytes
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace crier {
namespace {

bool SetTcpOption(int fd, int option, int value) {
  return ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value) == 0;
}

}  // namespace

bool SetNoDelay(int fd) { return SetTcpOption(fd, TCP_NODELAY, 1); }

bool SetNotSentLowWater(int fd, int bytes) { return SetTcpOption(fd, TCP_NOTSENT_LOWAT, bytes); }

size_t UnreadBytesOf(int fd) {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

SendProgress SendProgressOf(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  return {.pending = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0,
          .retransmitting = info.tcpi_retransmits > 0,
          .acknowledged = static_cast<uint32_t>(info.tcpi_bytes_acked)};
}

}  // namespace crier
