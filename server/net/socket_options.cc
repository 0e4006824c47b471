#include "server/net/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace crier {
namespace {

bool SetTcpOption(int fd, int option, int value) {
  return ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value) == 0;
}

}  // namespace

bool SetNoDelay(int fd) { return SetTcpOption(fd, TCP_NODELAY, 1); }

bool SetNotSentLowWater(int fd, int bytes) { return SetTcpOption(fd, TCP_NOTSENT_LOWAT, bytes); }

}  // namespace crier
