#include "tests/support/websocket_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "tests/support/websocket_frames.h"

namespace crier::testing {
namespace {

using SteadyClock = std::chrono::steady_clock;

}  // namespace

uint16_t Frame::close_code() const {
  if (opcode != kClose || payload.size() < 2) return 0;
  return static_cast<uint16_t>(static_cast<uint8_t>(payload[0]) << 8 |
                               static_cast<uint8_t>(payload[1]));
}

std::string Frame::close_reason() const {
  return payload.size() < 2 ? std::string() : payload.substr(2);
}

WebSocketClient::WebSocketClient(const std::string& address, int receive_buffer)
    : address_(address), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0) {
    ::setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  }
  const int on = 1;
  ::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  if (::connect(fd(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) fd_.reset();
}

WebSocketClient::WebSocketClient(const std::string& address, const Options& options)
    : WebSocketClient(address, options.receive_buffer) {
  Handshake(options);
}

std::string WebSocketClient::UpgradeRequest(const std::string& address, const Options& options) {
  std::string request = "GET " + options.target + " HTTP/1.1\r\nHost: " + address +
                        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Version: 13\r\n";
  for (const auto& [name, value] : options.headers) request += name + ": " + value + "\r\n";
  return request + "\r\n";
}

bool WebSocketClient::Handshake(const Options& options) {
  return SendRaw(UpgradeRequest(address_, options)) && ReadResponseHeader() && status_ == 101;
}

bool WebSocketClient::ReadResponseHeader() {
  const auto deadline = SteadyClock::now() + kPatience;
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill(deadline)) return false;
  }
  response_ = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  status_ = response_.size() > 12 ? std::atoi(response_.c_str() + 9) : 0;
  return true;
}

std::string WebSocketClient::ReadBytes(size_t count) {
  const auto deadline = SteadyClock::now() + kPatience;
  while (buffer_.size() < count && Fill(deadline)) continue;
  std::string bytes = buffer_.substr(0, count);
  buffer_.erase(0, bytes.size());
  return bytes;
}

std::string WebSocketClient::ReadBody() {
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const size_t at = response_.find(kLength);
  return at == std::string::npos
             ? std::string()
             : ReadBytes(static_cast<size_t>(std::atoi(response_.c_str() + at + kLength.size())));
}

bool WebSocketClient::SendRaw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string WebSocketClient::MaskedFrame(uint8_t opcode, std::string_view payload, bool fin,
                                         uint8_t rsv) {
  return testing::MaskedFrame((fin ? 0x80 : 0) | rsv << 4 | opcode, payload);
}

bool WebSocketClient::SendFrame(uint8_t opcode, std::string_view payload, bool fin, uint8_t rsv) {
  return SendRaw(MaskedFrame(opcode, payload, fin, rsv));
}

bool WebSocketClient::SendClose(uint16_t code, std::string_view reason) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  payload += reason;
  return SendFrame(kClose, payload);
}

bool WebSocketClient::Fill(SteadyClock::time_point deadline) {
  if (ended_ || fd() < 0) return false;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
  pollfd poll{.fd = fd(), .events = POLLIN, .revents = 0};
  if (::poll(&poll, 1, static_cast<int>(std::max<int64_t>(0, left.count()))) <= 0) return false;
  char bytes[64 << 10];
  const ssize_t count = ::recv(fd(), bytes, sizeof(bytes), 0);
  if (count <= 0) {
    ended_ = true;
    was_reset_ = count < 0;
    return false;
  }
  bytes_received_ += static_cast<size_t>(count);
  buffer_.append(bytes, static_cast<size_t>(count));
  return true;
}

std::optional<Frame> WebSocketClient::ReadFrame(std::chrono::milliseconds patience) {
  const auto deadline = SteadyClock::now() + patience;
  const auto byte = [this](size_t i) { return static_cast<uint8_t>(buffer_[i]); };
  for (;;) {
    size_t header = 2;
    if (buffer_.size() >= header) {
      uint64_t length = byte(1) & 0x7F;
      const size_t length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
      header += length_bytes;
      if (length_bytes > 0 && buffer_.size() >= header) {
        length = 0;
        for (size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte(2 + i);
      }
      if (buffer_.size() >= header && buffer_.size() - header >= length) {
        Frame frame{.opcode = static_cast<uint8_t>(byte(0) & 0x0F),
                    .fin = (byte(0) & 0x80) != 0,
                    .rsv1 = (byte(0) & 0x40) != 0,
                    .payload = buffer_.substr(header, length)};
        buffer_.erase(0, header + length);
        return frame;
      }
    }
    if (!Fill(deadline)) return std::nullopt;
  }
}

std::string WebSocketClient::ReadText(std::chrono::milliseconds patience) {
  const auto deadline = SteadyClock::now() + patience;
  while (auto frame = ReadFrame(
             std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()))) {
    if (frame->opcode == kText) return frame->payload;
    if (frame->opcode == kPing) SendFrame(kPong, frame->payload);
  }
  return {};
}

std::optional<Frame> WebSocketClient::ReadClose(std::chrono::milliseconds patience) {
  const auto deadline = SteadyClock::now() + patience;
  while (auto frame = ReadFrame(
             std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()))) {
    if (frame->opcode == kClose) return frame;
  }
  return std::nullopt;
}

bool WebSocketClient::WaitForEnd(std::chrono::milliseconds patience) {
  const auto deadline = SteadyClock::now() + patience;
  while (Fill(deadline)) buffer_.clear();
  return ended_;
}

bool WebSocketClient::StaysSilent(std::chrono::milliseconds time) {
  return buffer_.empty() && !Fill(SteadyClock::now() + time) && !ended_;
}

std::optional<Frame> WebSocketClient::CloseNicely(uint16_t code) {
  SendClose(code);
  auto frame = ReadClose();
  WaitForEnd();
  return frame;
}

void WebSocketClient::Reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  fd_.reset();
}

}  // namespace crier::testing
