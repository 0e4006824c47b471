// For any input, decoding ends, and its error can be sent back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/base/utf8.h"
#include "server/codec/plain_json.h"

namespace {

// assert is off in optimised builds, which is how fuzzers are built.
void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsUtf8(std::string_view text) { return crier::FirstInvalidUtf8(text) == text.size(); }

// A message that was taken is one that the server can pass on, and take again when it comes back.
void PassOn(const crier::v1::Message& message) {
  crier::v1::Event event;
  *event.mutable_message() = message;
  std::string out;
  crier::AppendPlainJson(event, "crier", &out);
  Require(IsUtf8(out));
  crier::v1::ClientFrame again;
  // A ping's answer may have a body of null, which is not for clients to send.
  const bool has_body = !message.body().empty() || message.action_type() == crier::v1::DIRECT ||
                        message.action_type() == crier::v1::BROADCAST;
  if (!has_body) return;
  Require(!crier::DecodePlainJson(out, &again));
  Require(again.publish().body() == message.body());
  Require(again.publish().user_id() == message.user_id());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  crier::v1::ClientFrame frame;
  if (const auto error = crier::DecodePlainJson(text, &frame)) {
    Require(!error->message.empty() && IsUtf8(error->message) && IsUtf8(error->id));
    Require(error->message.size() < 1000);
    return 0;
  }
  Require(IsUtf8(text));
  Require(frame.frame_case() != crier::v1::ClientFrame::FRAME_NOT_SET);
  if (frame.has_publish()) PassOn(frame.publish());
  return 0;
}
