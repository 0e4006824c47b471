// Reads the length-prefixed messages in a stream's DATA frames (gRPC's doc/PROTOCOL-HTTP2.md): a
// byte that says whether the message is compressed, four bytes of length, the message. A pure
// function of its input. The fuzzer tests it.
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

// Appends the prefix of an uncompressed message of this size.
void AppendMessagePrefix(size_t message_bytes, std::string* out);

// How a call's compressed messages are compressed: the value of grpc-encoding.
enum class MessageEncoding : uint8_t { kIdentity, kGzip, kDeflate };
std::optional<MessageEncoding> MessageEncodingOf(std::string_view name);
// The value of grpc-accept-encoding.
inline constexpr std::string_view kAcceptedEncodings = "identity,deflate,gzip";

// Takes a stream's bytes in pieces of any size. Not thread-safe.
class MessageReader {
 public:
  void set_encoding(MessageEncoding encoding) { encoding_ = encoding; }

  // Takes a piece. The results of Next may refer to it, so it has to stay valid until Next has
  // returned nullopt.
  void Feed(std::string_view bytes);

  // The next whole message, decompressed. Valid until the next call. nullopt: more bytes are
  // needed, or see error(). A message may have at most `max_bytes`, compressed and uncompressed.
  // Nothing of a longer one is kept.
  std::optional<std::string_view> Next(size_t max_bytes);

  // For who does not want the next message yet: what was fed and not looked at. It is forgotten
  // here, and has to be fed again; the message that Next returned last is no longer valid.
  std::string_view TakeRest();

  // Why nothing more can be read; null where all is well.
  const GrpcStatus* error() const { return error_.get(); }
  // True if only a part of a message has come.
  bool in_message() const { return !held_.empty(); }
  // Memory of that, in bytes.
  size_t held_bytes() const { return held_.empty() ? 0 : held_.capacity(); }

 private:
  void DropReturned();
  std::optional<std::string_view> Fail(GrpcStatus status);
  std::optional<std::string_view> Decompress(std::string_view message, size_t max_bytes);

  MessageEncoding encoding_ = MessageEncoding::kIdentity;
  bool returned_ = false;   // held_ was returned and can be freed
  std::string_view bytes_;  // from Feed, not yet read
  std::string held_;        // an incomplete message with its prefix; or see returned_
  std::unique_ptr<GrpcStatus> error_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_MESSAGE_READER_H_
