// What the Connect protocol says of a unary call over HTTP/1.1 (connectrpc.com/docs/protocol,
// "Unary RPCs"): which requests are calls, how a message is written in a body, and how a call ends.
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_UNARY_HTTP_CONNECT_PROTOCOL_H_
#define CRIER_SERVER_UNARY_HTTP_CONNECT_PROTOCOL_H_

#include <google/protobuf/message.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/service/unary_call.h"
#include "server/service/unary_codec.h"
#include "server/service/unary_error.h"

namespace crier {

// What a request's head says of the call. Empty: the request has no such header.
struct ConnectHead {
  std::string_view content_type = {};
  std::string_view content_encoding = {};
  std::string_view protocol_version = {};  // Connect-Protocol-Version
  std::string_view timeout_ms = {};        // Connect-Timeout-Ms
};

// How the messages of one call are written, and how long it may take.
struct ConnectFraming {
  UnaryCodec codec = UnaryCodec::kJson;
  bool gzip = false;
  std::optional<std::chrono::milliseconds> timeout = {};
};

// An answer, ready to be sent.
struct ConnectAnswer {
  unsigned status = 200;  // of HTTP
  int code = 0;           // of gRPC; 0 too for a request that was no call
  std::string_view content_type = "application/json";
  std::string body = {};
  CallFields headers = {};  // more of them
};

// The time that the caller gave is over.
UnaryError DeadlineExceeded();

// The answers that hold a message, bytes in protobuf's encoding of a message of this type, or an
// error.
ConnectAnswer AnswerOf(const ConnectFraming& framing, const google::protobuf::Message& message);
ConnectAnswer AnswerOf(const ConnectFraming& framing, std::string bytes,
                       const google::protobuf::Message& prototype);
ConnectAnswer AnswerOf(const UnaryError& error);

// The answer to a request whose body has more than `limit` bytes.
ConnectAnswer TooLongRequest(size_t limit);

// How a request's body is to be read, or the answer to a request that is no call.
std::variant<ConnectFraming, ConnectAnswer> ReadConnectHead(const ConnectHead& head);

// The bytes of the request in a body: decompressed, and then at most `max_bytes`.
std::variant<std::string, UnaryError> RequestOf(const ConnectFraming& framing, std::string body,
                                                size_t max_bytes);

}  // namespace crier

#endif  // CRIER_SERVER_UNARY_HTTP_CONNECT_PROTOCOL_H_
