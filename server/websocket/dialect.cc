#include "server/websocket/dialect.h"

#include <array>
#include <boost/beast/http/rfc7230.hpp>

#include "server/codec/plain_json.h"
#include "server/codec/proto_binary.h"
#include "server/codec/proto_json.h"
#include "server/websocket/message_encoding.h"

namespace crier {
namespace {

namespace http = boost::beast::http;

void AppendPlain(const v1::Event& event, std::string* out) {
  AppendPlainJson(event, kServerProduct, out);
}

// A ServerFrame with one event: the same bytes as in the log.
void AppendCanonical(const v1::Event& event, std::string* out) {
  CanonicalEncoding().Append(event, out);
}

constinit const MessageEncoding kPlain("plain-json", FrameStart::kText, &AppendPlain);
constinit const DeflatedMessageEncoding kPlainDeflated("plain-json-deflate", FrameStart::kText,
                                                       &AppendPlain);
constinit const MessageEncoding kJson("json", FrameStart::kText, &AppendProtoJson);
constinit const DeflatedMessageEncoding kJsonDeflated("json-deflate", FrameStart::kText,
                                                      &AppendProtoJson);
constinit const MessageEncoding kProto("proto-message", FrameStart::kBinary, &AppendCanonical);
constinit const DeflatedMessageEncoding kProtoDeflated("proto-message-deflate", FrameStart::kBinary,
                                                       &AppendCanonical);

constexpr std::array<Dialect, 3> kDialects = {{
    {.subprotocol = {},
     .binary = false,
     .greets = false,
     .encoding = &kPlain,
     .deflated = &kPlainDeflated,
     .decode_payload = &DecodePlainJson,
     .wrong_kind = "binary messages are not taken here; send a JSON object in a text message"},
    {.subprotocol = "crier.v1.json",
     .binary = false,
     .greets = true,
     .encoding = &kJson,
     .deflated = &kJsonDeflated,
     .decode_payload = &DecodeProtoJson,
     .wrong_kind =
         "binary messages are not taken in crier.v1.json; send a ClientFrame as JSON in a "
         "text message, or connect with the subprotocol crier.v1.proto"},
    {.subprotocol = "crier.v1.proto",
     .binary = true,
     .greets = true,
     .encoding = &kProto,
     .deflated = &kProtoDeflated,
     .decode_payload = &DecodeProtoBinary,
     .wrong_kind =
         "text messages are not taken in crier.v1.proto; send a ClientFrame in protobuf's "
         "encoding in a binary message, or connect with the subprotocol crier.v1.json"},
}};

}  // namespace

std::optional<DecodeError> Dialect::Decode(std::string_view payload, bool is_binary,
                                           v1::ClientFrame* frame) const {
  if (is_binary == binary) return decode_payload(payload, frame);
  return DecodeError{Outcome::kUnsupportedData, std::string(wrong_kind), {}};
}

std::span<const Dialect> AllDialects() { return kDialects; }

const Dialect& PlainDialect() { return kDialects[0]; }

const Dialect& ChooseDialect(const HttpRequest& request) {
  // The header may come more than once. This means the same as one list (section 11.3.4).
  const auto [begin, end] = request.equal_range(http::field::sec_websocket_protocol);
  for (auto header = begin; header != end; ++header) {
    for (const auto& offered : http::token_list(header->value())) {
      for (const Dialect& dialect : kDialects) {
        if (std::string_view(offered.data(), offered.size()) == dialect.subprotocol) {
          return dialect;
        }
      }
    }
  }
  return PlainDialect();
}

}  // namespace crier
