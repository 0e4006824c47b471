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

// HTTP/2: RFC 9113, section 4.1.
constexpr size_t kFrameHeadBytes = 9;
constexpr char kDataFrame = 0;
constexpr char kHeadersFrame = 1;
constexpr char kSettingsFrame = 4;
constexpr char kWindowUpdateFrame = 8;
constexpr char kEndHeaders = 4;

// Of stream 0 or 1, at most 255 bytes.
std::string Http2Frame(char type, char flags, char stream, std::string_view payload) {
  if (payload.size() > 255) Fail("the payload is too long for this program");
  std::string frame = {'\0', '\0',  static_cast<char>(payload.size()), type, flags, '\0', '\0',
                       '\0', stream};
  return frame.append(payload);
}

size_t Http2FrameSize(std::string_view bytes) {
  if (bytes.size() < kFrameHeadBytes) Fail("a cut frame came");
  size_t size = 0;
  for (size_t i = 0; i < 3; ++i) size = size << 8 | static_cast<uint8_t>(bytes[i]);
  return kFrameHeadBytes + size;
}

// A string of HPACK's, as it is (RFC 7541, section 5.2).
std::string HpackString(std::string_view text) {
  if (text.size() > 126) Fail("the text is too long for this program");
  return std::string(1, static_cast<char>(text.size())).append(text);
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

std::string GrpcFrame(std::string_view payload) {
  std::string message = {'\0', '\0', '\0', '\0', static_cast<char>(payload.size())};
  return Http2Frame(kDataFrame, 0, 1, message.append(payload));
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

void GuardClients::SendCall(size_t client, std::string_view user) {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  // SETTINGS_INITIAL_WINDOW_SIZE, and the connection's window, as large as they may be.
  constexpr std::string_view kStreamWindow("\0\4\x7f\xff\xff\xff", 6);
  constexpr std::string_view kConnectionWindow("\x7f\xff\0\0", 4);
  // RFC 7541, section 6.2.2 and appendix A: fields that are not indexed, with names that are
  // (:authority is 1, :path 4, content-type 31) and that are not.
  std::string fields = "\x83\x86";  // :method POST, :scheme http
  fields += "\x01" + HpackString("guard");
  fields += "\x04" + HpackString("/crier.v1.Messaging/Connect");
  fields += "\x0f\x10" + HpackString("application/grpc");
  fields += std::string(1, '\0') + HpackString("te") + HpackString("trailers");
  if (!user.empty()) {
    fields += std::string(1, '\0') + HpackString("crier-user-id") + HpackString(user);
  }
  Write(client, std::string(kPreface) + Http2Frame(kSettingsFrame, 0, 0, kStreamWindow) +
                    Http2Frame(kWindowUpdateFrame, 0, 0, kConnectionWindow) +
                    Http2Frame(kHeadersFrame, kEndHeaders, 1, fields) +
                    GrpcFrame(std::string("\x0a\x00", 2)));  // an empty Hello
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
  while (!bytes.empty()) {
    const bool grpc = protocol_ == Protocol::kGrpc;
    const size_t size = grpc ? Http2FrameSize(bytes) : FrameSize(bytes);
    if (size > bytes.size()) Fail("a cut frame came");
    if (!grpc || bytes[3] == kDataFrame) ++frames;
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
