// Encodes events as WebSocket messages: puts a codec's output for an event into one whole frame.
#ifndef CRIER_SERVER_WEBSOCKET_MESSAGE_ENCODING_H_
#define CRIER_SERVER_WEBSOCKET_MESSAGE_ENCODING_H_

#include <string>
#include <string_view>

#include "server/engine/encoding.h"
#include "server/websocket/framing.h"

namespace crier {

// Appends an event's payload. Appends nothing if the dialect has no form for it. Thread-safe.
using AppendPayload = void (*)(const v1::Event& event, std::string* out);

// For every client.
class MessageEncoding : public Encoding {
 public:
  // `start`: kText or kBinary.
  constexpr MessageEncoding(std::string_view name, FrameStart start, AppendPayload append)
      : name_(name), start_(start), append_(append) {}

  std::string_view name() const override { return name_; }
  void Append(const v1::Event& event, std::string* out) const override;

 protected:
  const std::string_view name_;
  const FrameStart start_;
  const AppendPayload append_;
};

// For clients that negotiated permessage-deflate with a window of 32 KiB for the server's messages.
// Each message is deflated by itself (server_no_context_takeover), and so only once for all
// clients. If a message would not become smaller, it stays uncompressed, which the extension
// allows.
class DeflatedMessageEncoding final : public MessageEncoding {
 public:
  using MessageEncoding::MessageEncoding;

  void Append(const v1::Event& event, std::string* out) const override;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_MESSAGE_ENCODING_H_
