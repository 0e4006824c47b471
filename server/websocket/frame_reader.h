// Reads what comes in over a WebSocket: from bytes, however they are cut, to whole messages and
// control frames (RFC 6455, sections 5 and 8.1; permessage-deflate, RFC 7692).
//
// A message in one frame that has come in one piece, as nearly every message has, is unmasked where
// it lies. Anything else is gathered: only then does a reader keep anything (Partial).
#ifndef CRIER_SERVER_WEBSOCKET_FRAME_READER_H_
#define CRIER_SERVER_WEBSOCKET_FRAME_READER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "server/base/outcome.h"
#include "server/engine/memory_budget.h"
#include "server/websocket/frame_header.h"
#include "server/websocket/inflater.h"

namespace crier {

enum class ReceivedKind : uint8_t {
  kNothing,  // until more bytes come
  kText,     // a whole message of valid UTF-8
  kBinary,   // a whole message
  kPing,
  kPong,
  kClose,
  kError,  // the connection cannot go on
};

struct Received {
  ReceivedKind kind = ReceivedKind::kNothing;
  // Of a message or control frame: unmasked and inflated.
  std::string_view payload = {};

  // kError: the close code, what the end counts as, and what is wrong, for people.
  uint16_t close_code = 0;
  Outcome outcome = Outcome::kOk;
  std::string_view problem = {};
};

// What the readers of a shard have in common.
struct FrameReaderShared {
  MemoryMeter* const memory;
  Inflaters inflaters = {};
};

// Runs on: shard thread.
class FrameReader {
 public:
  struct Options {
    size_t max_message_bytes;  // after inflating
    bool deflate;              // permessage-deflate was agreed on
  };

  // `shared` outlives the reader.
  FrameReader(FrameReaderShared* shared, Options options);
  ~FrameReader();
  FrameReader(FrameReader&&) = delete;
  FrameReader& operator=(FrameReader&&) = delete;

  // Takes bytes off the front of *bytes, which it may change in place, up to the end of the next
  // message or control frame, and returns that. Takes all of them where none is whole. The payload
  // is valid until the next call, and as long as the bytes are. After kError: not to be called.
  //
  // What is wrong is found with the first byte that shows it: a text that cannot become UTF-8, a
  // message over the limit, bytes that deflate does not make.
  Received Read(std::span<char>* bytes);

  // Forgets the payload that the last Read returned.
  void DropReturned();
  // From here on messages are passed over, unseen: only control frames are returned, and what
  // breaks the framing.
  void SkipMessages();

 private:
  struct Partial;

  Partial& EnsurePartial();
  HeaderRead ReadHeader(std::span<char>* bytes, FrameHeader* header);
  HeaderRead ReadCutHeader(std::span<char>* bytes, FrameHeader* header);
  // nullptr: fine.
  const char* CheckOrder(const FrameHeader& header) const;
  bool IsTooBig(const FrameHeader& header) const;
  Received TakeWhole(const FrameHeader& header, std::span<char> payload);
  void BeginFrame(const FrameHeader& header);
  Received ReadPayload(std::span<char>* bytes);
  Received AddToMessage(std::span<const char> piece);
  Received CheckText(bool whole);
  Received EndMessage();

  FrameReaderShared* const shared_;
  std::unique_ptr<Partial> partial_;
  const uint32_t max_message_bytes_;
  const bool deflate_;
  bool skip_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_FRAME_READER_H_
