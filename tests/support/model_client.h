// A client of the dialects crier.v1.json and crier.v1.proto, for tests: the model's own types over
// a WebSocketClient.
#ifndef CRIER_TESTS_SUPPORT_MODEL_CLIENT_H_
#define CRIER_TESTS_SUPPORT_MODEL_CLIENT_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {

enum class ModelForm { kJson, kProto };

// "crier.v1.json", "crier.v1.proto"
std::string SubprotocolOf(ModelForm form);

// Not thread-safe. The test fails if the server does not answer the upgrade with 101 and this
// subprotocol, or if a message is not one ServerFrame with one event.
class ModelClient {
 public:
  // `options.headers`: besides the subprotocol.
  ModelClient(const std::string& address, ModelForm form, WebSocketClient::Options options = {});

  bool Send(const v1::ClientFrame& frame) { return SendPayload(Encoded(frame)); }
  // A message of this dialect's kind, whatever it holds.
  bool SendPayload(std::string_view payload);
  // One of the other kind.
  bool SendOtherKind(std::string_view payload);
  std::string Encoded(const v1::ClientFrame& frame) const;

  // The next event; pings are answered. nullopt: none came in time, or the connection is closing.
  std::optional<v1::Event> Next(std::chrono::milliseconds patience = WebSocketClient::kPatience);
  // The same, for an event of this kind. The test fails on any other.
  v1::Event Next(v1::Event::EventCase kind);
  v1::Welcome NextWelcome() { return Next(v1::Event::kWelcome).welcome(); }
  v1::Message NextMessage() { return Next(v1::Event::kMessage).message(); }
  v1::Ack NextAck() { return Next(v1::Event::kAck).ack(); }
  v1::Error NextError() { return Next(v1::Event::kError).error(); }

  // What is below.
  WebSocketClient& socket() { return socket_; }

 private:
  uint8_t opcode() const { return form_ == ModelForm::kJson ? kText : kBinary; }

  ModelForm form_;
  WebSocketClient socket_;
};

// One event, out of a message's payload. The test fails if it is something else.
v1::Event EventOf(ModelForm form, const std::string& payload);

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_MODEL_CLIENT_H_
