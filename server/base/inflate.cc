#include "server/base/inflate.h"

#include <zlib.h>

namespace crier {

std::optional<std::string> InflateWhole(std::string_view bytes, CompressedFormat format,
                                        size_t most) {
  z_stream stream{};
  // 15: the largest window; 16 more: gzip's header instead of zlib's (zlib.h, inflateInit2).
  const int window = format == CompressedFormat::kGzip ? 15 + 16 : 15;
  if (inflateInit2(&stream, window) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string inflated(most + 1, '\0');
  stream.next_out = reinterpret_cast<Bytef*>(inflated.data());
  stream.avail_out = static_cast<uInt>(inflated.size());
  const int result = inflate(&stream, Z_FINISH);
  const size_t size = inflated.size() - stream.avail_out;
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!whole && size <= most) return std::nullopt;
  inflated.resize(size);
  return inflated;
}

}  // namespace crier
