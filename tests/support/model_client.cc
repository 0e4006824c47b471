#include "tests/support/model_client.h"

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <utility>

namespace crier::testing {
namespace {

namespace util = google::protobuf::util;

WebSocketClient::Options With(WebSocketClient::Options options, ModelForm form) {
  options.headers.emplace_back("Sec-WebSocket-Protocol", SubprotocolOf(form));
  return options;
}

}  // namespace

std::string SubprotocolOf(ModelForm form) {
  return form == ModelForm::kJson ? "crier.v1.json" : "crier.v1.proto";
}

v1::Event EventOf(ModelForm form, const std::string& payload) {
  v1::ServerFrame frame;
  if (form == ModelForm::kProto) {
    EXPECT_TRUE(frame.ParseFromString(payload));
  } else {
    // Strictly: a name that the model does not have fails.
    const util::Status status = util::JsonStringToMessage(payload, &frame);
    EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << payload;
  }
  EXPECT_EQ(frame.events_size(), 1) << frame.ShortDebugString();
  if (frame.events_size() == 0) return {};
  return std::move(*frame.mutable_events(0));
}

ModelClient::ModelClient(const std::string& address, ModelForm form,
                         WebSocketClient::Options options)
    : form_(form), socket_(address, With(std::move(options), form)) {
  EXPECT_EQ(socket_.status(), 101) << socket_.response();
  EXPECT_NE(socket_.response().find("\r\nSec-WebSocket-Protocol: " + SubprotocolOf(form) + "\r\n"),
            std::string::npos)
      << socket_.response();
}

std::string ModelClient::Encoded(const v1::ClientFrame& frame) const {
  if (form_ == ModelForm::kProto) return frame.SerializeAsString();
  std::string text;
  EXPECT_TRUE(util::MessageToJsonString(frame, &text).ok());
  return text;
}

bool ModelClient::SendPayload(std::string_view payload) {
  return socket_.SendFrame(opcode(), payload);
}

bool ModelClient::SendOtherKind(std::string_view payload) {
  return socket_.SendFrame(opcode() == kText ? kBinary : kText, payload);
}

std::optional<v1::Event> ModelClient::Next(std::chrono::milliseconds patience) {
  while (auto frame = socket_.ReadFrame(patience)) {
    if (frame->opcode == kClose) return std::nullopt;
    if (frame->opcode == kPing) socket_.SendFrame(kPong, frame->payload);
    if (frame->opcode == kPing || frame->opcode == kPong) continue;
    EXPECT_EQ(frame->opcode, opcode());
    EXPECT_TRUE(frame->fin);
    return EventOf(form_, frame->payload);
  }
  return std::nullopt;
}

v1::Event ModelClient::Next(v1::Event::EventCase kind) {
  std::optional<v1::Event> event = Next();
  if (!event.has_value()) {
    ADD_FAILURE() << "nothing came";
    return {};
  }
  EXPECT_EQ(event->event_case(), kind) << event->ShortDebugString();
  return *std::move(event);
}

}  // namespace crier::testing
