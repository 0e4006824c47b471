// Whatever bytes come in, decoding ends, and what it takes can be sent on in every dialect of the
// model.
#include <google/protobuf/util/json_util.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/base/utf8.h"
#include "server/codec/proto_binary.h"
#include "server/codec/proto_json.h"

namespace {

// assert is off in optimised builds, which is how fuzzers are built.
void Require(bool condition) {
  if (!condition) std::abort();
}

// The engine passes on what the model knows, and drops the rest.
void PassOn(crier::v1::Message message) {
  message.DiscardUnknownFields();
  crier::v1::ServerFrame sent;
  sent.add_events()->mutable_message()->Swap(&message);
  crier::v1::ServerFrame received;
  Require(received.ParseFromString(sent.SerializeAsString()));
  std::string out;
  crier::AppendProtoJson(sent.events(0), &out);
  Require(crier::FirstInvalidUtf8(out) == out.size());
  received.Clear();
  Require(google::protobuf::util::JsonStringToMessage(out, &received).ok());
  Require(received.SerializeAsString() == sent.SerializeAsString());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  crier::v1::ClientFrame frame;
  if (const auto error = crier::DecodeProtoBinary(bytes, &frame)) {
    Require(!error->message.empty() && error->id.empty());
    return 0;
  }
  if (frame.has_publish()) PassOn(frame.publish());
  return 0;
}
