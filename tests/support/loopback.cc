#include "tests/support/loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

enum class Got { kBytes, kClosed, kNothing };

Got ReadSome(int fd, steady_clock::time_point deadline, std::string* out) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
  pollfd polled{.fd = fd, .events = POLLIN, .revents = 0};
  if (::poll(&polled, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) <= 0) {
    return Got::kNothing;
  }
  char buffer[4096];
  const ssize_t n = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n <= 0) return Got::kClosed;
  out->append(buffer, static_cast<size_t>(n));
  return Got::kBytes;
}

}  // namespace

UniqueFd ConnectTo(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  ::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fd.reset();
  return fd;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string ReadUntil(int fd, std::string_view end, milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  std::string text;
  while (end.empty() || text.find(end) == std::string::npos) {
    if (ReadSome(fd, deadline, &text) != Got::kBytes) break;
  }
  return text;
}

bool WaitForClose(int fd, milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  std::string dropped;
  while (true) {
    const Got got = ReadSome(fd, deadline, &dropped);
    if (got != Got::kBytes) return got == Got::kClosed;
  }
}

std::string HttpGet(const std::string& address, const std::string& path) {
  const UniqueFd fd = ConnectTo(address);
  if (!fd.valid()) return "";
  SendAll(fd.get(),
          "GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n");
  return ReadUntil(fd.get(), "");
}

}  // namespace crier::testing
