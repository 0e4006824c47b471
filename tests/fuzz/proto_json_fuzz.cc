// Whatever bytes come in, decoding ends, and what it takes can be sent back.
#include <google/protobuf/util/json_util.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/base/utf8.h"
#include "server/codec/proto_json.h"

namespace {

// assert is off in optimised builds, which is how fuzzers are built.
void Require(bool condition) {
  if (!condition) std::abort();
}

bool IsUtf8(std::string_view text) { return crier::FirstInvalidUtf8(text) == text.size(); }

// A message that was taken is one that the server can pass on, and that its receiver can read.
void PassOn(const crier::v1::Message& message) {
  crier::v1::ServerFrame sent;
  *sent.add_events()->mutable_message() = message;
  std::string out;
  crier::AppendProtoJson(sent.events(0), &out);
  Require(IsUtf8(out));
  crier::v1::ServerFrame received;
  Require(google::protobuf::util::JsonStringToMessage(out, &received).ok());
  Require(received.SerializeAsString() == sent.SerializeAsString());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  crier::v1::ClientFrame frame;
  if (const auto error = crier::DecodeProtoJson(text, &frame)) {
    Require(!error->message.empty() && IsUtf8(error->message) && error->id.empty());
    Require(error->message.size() < 1000);
    return 0;
  }
  Require(IsUtf8(text));
  if (frame.has_publish()) PassOn(frame.publish());
  return 0;
}
