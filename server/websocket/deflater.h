// Deflates messages for permessage-deflate (RFC 7692).
#ifndef CRIER_SERVER_WEBSOCKET_DEFLATER_H_
#define CRIER_SERVER_WEBSOCKET_DEFLATER_H_

#include <zlib.h>

#include <string>
#include <string_view>

namespace crier {

// Deflates whole messages, each by itself. Its state is some 256 KiB, so use one per thread. Not
// thread-safe.
class Deflater {
 public:
  // The window is 2 to the power of `window_bits` bytes, from 9 to 15.
  explicit Deflater(int window_bits);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // The deflated form for a frame. Valid until the next call. Empty if it would not be smaller.
  std::string_view Deflate(std::string_view message);

 private:
  // A longer output is not kept.
  static constexpr size_t kMostKept = 1 << 20;

  z_stream stream_{};
  bool ok_ = false;
  std::string output_;
};

// The same, with a deflater of this thread's.
std::string_view DeflateMessage(std::string_view message, int window_bits);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_DEFLATER_H_
