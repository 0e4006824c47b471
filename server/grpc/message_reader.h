// Length-prefixed messages, as gRPC lays them into a stream's DATA frames (gRPC's
// doc/PROTOCOL-HTTP2.md): a byte that says whether the message is compressed, four bytes of length,
// the message. A pure function of its input; what the fuzzer aims at.
#ifndef CRIER_SERVER_GRPC_MESSAGE_READER_H_
#define CRIER_SERVER_GRPC_MESSAGE_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/grpc/status.h"

namespace crier {

inline constexpr size_t kMessagePrefixBytes = 5;

// Appends the prefix of a message of so many bytes, not compressed.
void AppendMessagePrefix(size_t message_bytes, std::string* out);

// How a call's messages are compressed, where they are: the value of grpc-encoding.
enum class MessageEncoding : uint8_t { kIdentity, kGzip, kDeflate };
std::optional<MessageEncoding> MessageEncodingOf(std::string_view name);
// What grpc-accept-encoding says.
inline constexpr std::string_view kAcceptedEncodings = "identity,deflate,gzip";

// Takes a stream's bytes in pieces of any size. Not thread-safe.
class MessageReader {
 public:
  void set_encoding(MessageEncoding encoding) { encoding_ = encoding; }

  // Takes a piece. What Next returns refers to it where it can, so it has to stay until Next has
  // returned nullopt.
  void Feed(std::string_view bytes);

  // The next whole message, decompressed; valid until the next call. nullopt: more bytes are
  // needed, or see error(). At most `max_bytes` of a message are accepted, compressed or not, and
  // none of a longer one is kept.
  std::optional<std::string_view> Next(size_t max_bytes);

  // Why nothing more can be read; null where all is well.
  const GrpcStatus* error() const { return error_.get(); }
  // Part of a message has come, and its rest has not.
  bool in_message() const { return !held_.empty(); }

 private:
  std::optional<std::string_view> Fail(GrpcStatus status);
  std::optional<std::string_view> Decompress(std::string_view message, size_t max_bytes);

  MessageEncoding encoding_ = MessageEncoding::kIdentity;
  bool returned_ = false;   // what held_ holds was returned, and can go
  std::string_view bytes_;  // of Feed, not yet looked at
  std::string held_;        // a message whose rest has not come, with its prefix; or see returned_
  std::unique_ptr<GrpcStatus> error_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_MESSAGE_READER_H_
