// The plain dialect (docs/protocol.md, "Plain dialect"), as a client writes and reads it.
#ifndef CRIER_CLIENT_PLAIN_DIALECT_H_
#define CRIER_CLIENT_PLAIN_DIALECT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "crier/v1/message.pb.h"

namespace crier::client {

// `text` as a JSON string with its quotes.
std::string QuoteJson(std::string_view text);

// The frame as one text message. INVALID_ARGUMENT for hello, which this dialect does not have.
absl::StatusOr<std::string> EncodePlain(const v1::ClientFrame& frame);

// A server's text message as an event. INVALID_ARGUMENT says what is wrong.
absl::StatusOr<v1::Event> DecodePlain(std::string_view text);

}  // namespace crier::client

#endif  // CRIER_CLIENT_PLAIN_DIALECT_H_
