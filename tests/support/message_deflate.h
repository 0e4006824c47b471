// The client's side of permessage-deflate (RFC 7692, section 7.2), for tests.
#ifndef CRIER_TESTS_SUPPORT_MESSAGE_DEFLATE_H_
#define CRIER_TESTS_SUPPORT_MESSAGE_DEFLATE_H_

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <string_view>

namespace crier::testing {

// Not thread-safe.
class MessageDeflate {
 public:
  // `window_bits`: of what is deflated; anything can be inflated.
  explicit MessageDeflate(int window_bits = MAX_WBITS) {
    deflateInit2(&deflate_, 6, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY);
    inflateInit2(&inflate_, -MAX_WBITS);
  }
  ~MessageDeflate() {
    deflateEnd(&deflate_);
    inflateEnd(&inflate_);
  }
  MessageDeflate(const MessageDeflate&) = delete;
  MessageDeflate& operator=(const MessageDeflate&) = delete;

  // A message's payload, deflated by itself.
  std::string Deflated(std::string_view text) {
    deflateReset(&deflate_);
    return DeflatedOn(text);
  }
  // The same, with the window of those before.
  std::string DeflatedOn(std::string_view text) {
    std::string out = Run(&deflate_, &deflate, text, Z_SYNC_FLUSH);
    // Nothing comes out of nothing; the message is then an empty block (section 7.2.3.6).
    return out.size() < 4 ? std::string(1, '\0') : out.substr(0, out.size() - 4);
  }
  // The same by itself, in a block that says that it is the last (section 7.2.3.4).
  std::string DeflatedFinal(std::string_view text) {
    deflateReset(&deflate_);
    return Run(&deflate_, &deflate, text, Z_FINISH) + std::string(1, '\0');
  }
  // What the server deflated by itself.
  std::string Inflated(std::string bytes) {
    inflateReset(&inflate_);
    return Run(&inflate_, &inflate, bytes.append("\0\0\xff\xff", 4), Z_SYNC_FLUSH);
  }

 private:
  static std::string Run(z_stream* stream, int (*step)(z_stream*, int), std::string_view in,
                         int flush) {
    std::string out;
    char bytes[16 << 10];
    stream->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream->avail_in = static_cast<uInt>(in.size());
    do {
      stream->next_out = reinterpret_cast<Bytef*>(bytes);
      stream->avail_out = sizeof bytes;
      const int result = step(stream, flush);
      EXPECT_TRUE(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR) << result;
      out.append(bytes, sizeof bytes - stream->avail_out);
    } while (stream->avail_out == 0);
    return out;
  }

  z_stream deflate_{};
  z_stream inflate_{};
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_MESSAGE_DEFLATE_H_
