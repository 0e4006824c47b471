// Deflates messages for permessage-deflate (RFC 7692).
#ifndef CRIER_SERVER_WEBSOCKET_DEFLATER_H_
#define CRIER_SERVER_WEBSOCKET_DEFLATER_H_

#include <zlib.h>

#include <string>
#include <string_view>

namespace crier {

// Deflates whole messages, each by itself, with a window of 32 KiB. Its state is some 256 KiB, so
// one per thread is meant. Not thread-safe.
class Deflater {
 public:
  Deflater();
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // The deflated form as it stands in a frame, valid until the next call; empty where it would not
  // be smaller.
  std::string_view Deflate(std::string_view message);

 private:
  z_stream stream_{};
  bool ok_ = false;
  std::string output_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_DEFLATER_H_
