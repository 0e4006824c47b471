#include "client/websocket_client.h"

#include <algorithm>
#include <random>
#include <utility>

#include "client/plain_dialect.h"
#include "client/text.h"

namespace crier::client {
namespace {

constexpr size_t kMaxMessage = 16 * 1024 * 1024;
constexpr size_t kMaxUpgradeAnswer = 16 * 1024;
constexpr absl::Duration kSendTimeout = absl::Seconds(10);

uint32_t NewMask() {
  static thread_local std::random_device device;
  return device();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> WebSocketClient::Connect(const WebSocketUrl& url,
                                                                 const ConnectOptions& options) {
  const absl::Time deadline = absl::Now() + options.timeout;
  absl::StatusOr<TcpConnection> connection =
      TcpConnection::Connect(url.host, url.port, deadline, kHttpListen);
  if (!connection.ok()) return connection.status();
  if (url.tls) {
    const absl::Status status = connection->StartTls(options.tls, url.host, deadline);
    if (!status.ok()) return status;
  }
  std::unique_ptr<WebSocketClient> client(new WebSocketClient(*std::move(connection)));
  WebSocketUrl target = url;
  if (!options.user.empty()) target.path = WithQuery(url.path, "user_id", options.user);
  if (absl::Status status = client->Upgrade(target, options.token, deadline); !status.ok()) {
    return status;
  }
  return std::unique_ptr<Client>(std::move(client));
}

absl::Status WebSocketClient::Upgrade(const WebSocketUrl& url, std::string_view token,
                                      absl::Time deadline) {
  const std::string key = NewKey();
  if (absl::Status status =
          Write(UpgradeRequest(url.host_header, url.path, key, "", token), deadline);
      !status.ok()) {
    return status;
  }
  size_t end;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
    if (in_.size() > kMaxUpgradeAnswer) return Ended("the answer to the upgrade does not end");
    absl::Status status = Read(deadline);
    if (absl::IsDeadlineExceeded(status)) return Ended("the upgrade was not answered");
    if (!status.ok()) return status;
  }
  const UpgradeAnswer answer =
      ReadUpgradeAnswer(std::string_view(in_).substr(0, end), AcceptKey(key));
  if (!answer.problem.empty()) return Ended(answer.problem);
  in_.erase(0, end + 4);
  return absl::OkStatus();
}

absl::Status WebSocketClient::Ended(std::string_view why) {
  ended_ = absl::UnavailableError(ForAbsl(why));
  return ended_;
}

absl::Status WebSocketClient::Write(std::string_view bytes, absl::Time deadline) {
  const absl::Status status = connection_.Write(bytes, deadline);
  return status.ok() ? status : Ended(std::string(status.message()));
}

absl::Status WebSocketClient::WriteFrame(Opcode opcode, std::string_view payload) {
  std::string frame;
  AppendClientFrame(opcode, payload, NewMask(), &frame);
  return Write(frame, absl::Now() + kSendTimeout);
}

absl::Status WebSocketClient::Send(const v1::ClientFrame& frame) {
  if (!ended_.ok()) return ended_;
  absl::StatusOr<std::string> text = EncodePlain(frame);
  if (!text.ok()) return text.status();
  return WriteFrame(Opcode::kText, *text);
}

absl::Status WebSocketClient::Read(absl::Time deadline) {
  const absl::Status status = connection_.Read(&in_, deadline);
  if (status.ok() || absl::IsDeadlineExceeded(status)) return status;
  if (absl::IsOutOfRange(status)) {
    return Ended("the server ended the connection without a close frame");
  }
  return Ended(std::string(status.message()));
}

absl::StatusOr<v1::Event> WebSocketClient::Receive(absl::Time deadline) {
  while (true) {
    absl::StatusOr<std::string> text = TakeMessage();
    if (text.ok()) {
      absl::StatusOr<v1::Event> event = DecodePlain(*text);
      if (event.ok()) return event;
      return absl::DataLossError(
          Concat("the server sent what is no event: ", event.status().message()));
    }
    if (!absl::IsDeadlineExceeded(text.status())) return text.status();
    if (absl::Status status = Read(deadline); !status.ok()) return status;
  }
}

absl::StatusOr<std::string> WebSocketClient::TakeMessage() {
  while (true) {
    if (!ended_.ok()) return ended_;
    FrameHeader header;
    const HeaderResult result = ReadServerFrameHeader(in_.data(), in_.size(), &header);
    if (result == HeaderResult::kInvalid || header.payload_size > kMaxMessage) {
      Ended("the server sent an invalid WebSocket frame").IgnoreError();
      return absl::DataLossError(ended_.message());
    }
    if (result == HeaderResult::kIncomplete ||
        in_.size() < header.header_size + header.payload_size) {
      return absl::DeadlineExceededError("no whole message yet");
    }
    const std::string payload = in_.substr(header.header_size, header.payload_size);
    in_.erase(0, header.header_size + header.payload_size);
    if (static_cast<uint8_t>(header.opcode) >= static_cast<uint8_t>(Opcode::kClose)) {
      if (absl::Status status = TakeControl(header.opcode, payload); !status.ok()) return status;
      continue;
    }
    if (header.opcode != Opcode::kContinuation) message_.clear();
    message_ += payload;
    if (message_.size() > kMaxMessage) return Ended("the server sent a message that does not end");
    if (header.final) return std::exchange(message_, std::string());
  }
}

absl::Status WebSocketClient::TakeControl(Opcode opcode, std::string_view payload) {
  if (opcode == Opcode::kPing) return WriteFrame(Opcode::kPong, payload);
  if (opcode == Opcode::kPong) return absl::OkStatus();
  WriteFrame(Opcode::kClose, payload).IgnoreError();
  const std::string_view reason = payload.substr(std::min<size_t>(2, payload.size()));
  return Ended(Concat("the server closed the session: ", CloseCode(payload),
                      reason.empty() ? "" : " ", reason));
}

void WebSocketClient::Close() {
  if (!ended_.ok()) return;
  std::string frame;
  AppendCloseFrame(1000, "", NewMask(), &frame);
  const absl::Time deadline = absl::Now() + absl::Seconds(1);
  absl::Status status = Write(frame, deadline);
  while (status.ok()) status = Receive(deadline).status();
  ended_ = absl::UnavailableError("closed");
}

absl::StatusOr<std::unique_ptr<Client>> ConnectWebSocket(const std::string& url,
                                                         const ConnectOptions& options) {
  absl::StatusOr<WebSocketUrl> parsed = ParseWebSocketUrl(url);
  if (!parsed.ok()) return parsed.status();
  return WebSocketClient::Connect(*parsed, options);
}

}  // namespace crier::client
