#include "tests/bench/guard_clients.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace crier::guard {
namespace {

constexpr size_t kLongestShortPayload = 125;  // RFC 6455, section 5.2

// Of a frame of the server's, which is not masked; `bytes` may end before it does.
size_t FrameSize(std::string_view bytes) {
  if (bytes.size() < 2) Fail("a cut frame came");
  const auto byte = [bytes](size_t i) {
    return static_cast<size_t>(static_cast<uint8_t>(bytes[i]));
  };
  if (byte(1) <= kLongestShortPayload) return 2 + byte(1);
  if (byte(1) != 126 || bytes.size() < 4) Fail("a frame came that is too long for this program");
  return 4 + (byte(2) << 8) + byte(3);
}

}  // namespace

void Fail(const std::string& what, int status) {
  std::fprintf(stderr, "guard: %s\n", what.c_str());
  std::exit(status);
}

std::string ClientFrame(std::string_view payload) {
  constexpr std::array<char, 4> kMask = {'\x37', '\x5a', '\x11', '\x6d'};
  if (payload.size() > kLongestShortPayload) Fail("the message is too long for a short frame");
  std::string frame = {'\x81', static_cast<char>(0x80 | payload.size())};
  frame.append(kMask.data(), kMask.size());
  for (size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<char>(payload[i] ^ kMask[i % kMask.size()]));
  }
  return frame;
}

UniqueFd GuardClients::Add() {
  std::array<int, 2> pair;
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    Fail(std::string("socketpair: ") + std::strerror(errno));
  }
  fds_.emplace_back(pair[0]);
  return UniqueFd(pair[1]);
}

void GuardClients::SendUpgrade(size_t client, std::string_view user) {
  std::string request = "GET /ws";
  if (!user.empty()) request.append("?user_id=").append(user);
  request +=
      " HTTP/1.1\r\nHost: guard\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  Write(client, request);
}

void GuardClients::TakeUpgrade(size_t client) {
  const std::string_view answer = Read(client);
  if (!answer.starts_with("HTTP/1.1 101 ") || !answer.ends_with("\r\n\r\n")) {
    Fail("instead of an upgrade this came: " + std::string(answer));
  }
}

void GuardClients::Write(size_t client, std::string_view bytes) {
  ++writes_;
  const ssize_t written = ::write(fds_[client].get(), bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size())) Fail("a client cannot write");
}

size_t GuardClients::ReadFrames(size_t client) {
  std::string_view bytes = Read(client);
  size_t frames = 0;
  for (; !bytes.empty(); ++frames) {
    const size_t size = FrameSize(bytes);
    if (size > bytes.size()) Fail("a cut frame came");
    bytes.remove_prefix(size);
  }
  return frames;
}

std::string_view GuardClients::Read(size_t client) {
  ++reads_;
  const ssize_t count = ::read(fds_[client].get(), buffer_.data(), buffer_.size());
  if (count < 0 && errno == EAGAIN) return {};
  if (count <= 0) Fail("the server has closed a client's connection");
  return {buffer_.data(), static_cast<size_t>(count)};
}

}  // namespace crier::guard
