// Whatever bytes come in, in pieces of whatever size: the messages are the same as in one piece,
// none is over the limit, and an error stays.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "server/grpc/message_reader.h"

namespace {

using crier::MessageEncoding;
using crier::MessageReader;

// assert is off in optimised builds, which is how fuzzers are built.
void Require(bool condition) {
  if (!condition) std::abort();
}

constexpr size_t kMaxMessage = 1000;

void Take(MessageReader* reader, std::vector<std::string>* messages) {
  while (const auto message = reader->Next(kMaxMessage)) {
    Require(reader->error() == nullptr);
    Require(message->size() <= kMaxMessage);
    messages->emplace_back(*message);
  }
}

// Feeds pieces of this size, each gone when it was looked at.
std::vector<std::string> Read(MessageReader* reader, std::string_view bytes, size_t piece) {
  std::vector<std::string> messages;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const std::string fed(bytes.substr(at, piece));
    reader->Feed(fed);
    Take(reader, &messages);
  }
  return messages;
}

void CheckError(MessageReader* reader) {
  Require(!reader->error()->ok() && !reader->error()->message.empty());
  Require(!reader->in_message());
  const std::string whole("\0\0\0\0\0", 5);
  reader->Feed(whole);
  Require(!reader->Next(kMaxMessage).has_value() && reader->error() != nullptr);
}

// Where no message was compressed, what was read makes up the input again.
void CheckPlain(const std::vector<std::string>& messages, std::string_view bytes) {
  std::string again;
  for (const std::string& message : messages) {
    crier::AppendMessagePrefix(message.size(), &again);
    again += message;
  }
  Require(bytes.starts_with(again));
}

}  // namespace

// The first byte says how: two bits of encoding, six of the pieces' size.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto encoding = static_cast<MessageEncoding>(std::min(data[0] & 3, 2));
  const size_t piece = 1 + (data[0] >> 2);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  MessageReader in_one, in_pieces;
  in_one.set_encoding(encoding);
  in_pieces.set_encoding(encoding);
  const std::vector<std::string> messages = Read(&in_one, bytes, std::max<size_t>(1, bytes.size()));
  Require(Read(&in_pieces, bytes, piece) == messages);
  Require((in_one.error() == nullptr) == (in_pieces.error() == nullptr));
  Require(in_one.in_message() == in_pieces.in_message());
  if (encoding == MessageEncoding::kIdentity) CheckPlain(messages, bytes);
  if (in_one.error() == nullptr) return 0;
  Require(in_one.error()->code == in_pieces.error()->code);
  Require(in_one.error()->message == in_pieces.error()->message);
  CheckError(&in_one);
  CheckError(&in_pieces);
  return 0;
}
