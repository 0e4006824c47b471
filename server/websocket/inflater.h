// Inflates the messages of permessage-deflate (RFC 7692, section 7.2.2).
#ifndef CRIER_SERVER_WEBSOCKET_INFLATER_H_
#define CRIER_SERVER_WEBSOCKET_INFLATER_H_

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "server/websocket/input_buffer.h"

namespace crier {

// Inflates one message at a time, each by itself (client_no_context_takeover), in parts as they
// come. Takes every window that a client may use. Not thread-safe.
class Inflater {
 public:
  enum class Result : uint8_t {
    kOk,
    kCorrupt,   // these bytes are not deflate's
    kTooLong,   // more than the limit comes out
    kNoMemory,  // the memory budget is used up
  };

  // zlib's state, and the widest window (zconf.h).
  static constexpr size_t kBytes = 40 << 10;

  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Begins a message.
  void Begin();
  // Appends what comes out of `part` to *out, which may have `most` bytes.
  Result Inflate(std::string_view part, InputBuffer* out, size_t most);
  // The message is at its end.
  Result End(InputBuffer* out, size_t most);

 private:
  z_stream stream_{};
  bool ok_ = false;
  bool begun_ = false;  // some bytes of it have come since the last final block
};

// A shard's spare inflaters: a connection has one only while a message of its is coming. Not
// thread-safe.
class Inflaters {
 public:
  static constexpr size_t kMostSpares = 4;

  std::unique_ptr<Inflater> Take();
  void GiveBack(std::unique_ptr<Inflater> inflater);

 private:
  std::vector<std::unique_ptr<Inflater>> spares_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_INFLATER_H_
