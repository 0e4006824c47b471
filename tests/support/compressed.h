// Makes compressed bytes, for tests of code that decompresses them.
#ifndef CRIER_TESTS_SUPPORT_COMPRESSED_H_
#define CRIER_TESTS_SUPPORT_COMPRESSED_H_

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <string_view>

namespace crier::testing {

// zlib's windowBits: the largest window, and 16 more for gzip's header (zlib.h, deflateInit2).
inline constexpr int kDeflateWindow = 15;
inline constexpr int kGzipWindow = 31;

inline std::string Compressed(std::string_view text, int window) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_COMPRESSED_H_
