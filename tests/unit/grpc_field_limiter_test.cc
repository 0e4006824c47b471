#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/grpc/field_limiter.h"

namespace crier {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string FrameOf(uint8_t type, uint8_t flags, std::string_view payload) {
  std::string frame;
  for (int shift = 16; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(payload.size() >> shift));
  }
  frame += {static_cast<char>(type), static_cast<char>(flags), '\0', '\0', '\0', '\1'};
  return frame.append(payload);
}

// A header block as nghttp2 encodes it, with the state of one connection.
class Encoder {
 public:
  Encoder() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  ~Encoder() { nghttp2_hd_deflate_del(deflater_); }

  std::string Encode(const Fields& fields) {
    std::vector<nghttp2_nv> nvs;
    for (const auto& [name, value] : fields) {
      nvs.push_back({.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                     .value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
                     .namelen = name.size(),
                     .valuelen = value.size(),
                     .flags = NGHTTP2_NV_FLAG_NONE});
    }
    std::string block(nghttp2_hd_deflate_bound(deflater_, nvs.data(), nvs.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(block.data()),
                                               block.size(), nvs.data(), nvs.size());
    block.resize(static_cast<size_t>(size));
    return block;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

class Decoder {
 public:
  Decoder() { nghttp2_hd_inflate_new(&inflater_); }
  ~Decoder() { nghttp2_hd_inflate_del(inflater_); }

  // False: nghttp2 cannot decode it.
  bool Decode(std::string_view block, Fields* fields) {
    auto* next = reinterpret_cast<const uint8_t*>(block.data());
    size_t left = block.size();
    while (true) {
      nghttp2_nv nv;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, next, left, 1);
      if (used < 0) return false;
      next += used;
      left -= static_cast<size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        fields->emplace_back(std::string(reinterpret_cast<char*>(nv.name), nv.namelen),
                             std::string(reinterpret_cast<char*>(nv.value), nv.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return true;
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

// The block in frames of at most so many bytes, and the block in such frames.
std::string FramesOf(std::string_view block, size_t most) {
  std::string frames;
  uint8_t type = NGHTTP2_HEADERS;
  do {
    const std::string_view part = block.substr(0, most);
    block.remove_prefix(part.size());
    frames += FrameOf(type, block.empty() ? NGHTTP2_FLAG_END_HEADERS : 0, part);
    type = NGHTTP2_CONTINUATION;
  } while (!block.empty());
  return frames;
}
std::string BlockIn(std::string_view frames) {
  std::string block;
  while (!frames.empty()) {
    const size_t size = static_cast<uint8_t>(frames[0]) << 16 |
                        static_cast<uint8_t>(frames[1]) << 8 | static_cast<uint8_t>(frames[2]);
    block += frames.substr(9, size);
    frames.remove_prefix(9 + size);
  }
  return block;
}

TEST(GrpcFieldLimiterTest, LeavesAloneWhatIsWithinTheLimit) {
  Encoder encoder;
  FieldLimiter limiter;
  std::string bytes(kPreface);
  for (const size_t size : {0, 1, 126, 127, 128, 20'000, 65'536}) {
    bytes += FramesOf(encoder.Encode({{":path", "/x"}, {"name", std::string(size, '~')}}), 16'384);
    bytes += FrameOf(NGHTTP2_DATA, 0, std::string(100, '\xFF'));
  }
  std::string after = bytes;
  limiter.Limit(after);
  EXPECT_EQ(after, bytes);
}

TEST(GrpcFieldLimiterTest, CutsAFieldOverTheLimitSoThatTheOthersAreWhatTheyWere) {
  for (const char letter : {'a', '~'}) {  // compressed, and not
    for (const bool is_name : {false, true}) {
      for (const size_t size : {110'000, 200'000, 900'000}) {
        SCOPED_TRACE(letter);
        SCOPED_TRACE(size);
        Encoder encoder;
        Decoder decoder;
        FieldLimiter limiter;
        std::string preface(kPreface);
        limiter.Limit(preface);
        const std::string large(size, letter);
        const std::pair<std::string, std::string> before = {"x-before", "in the table"};
        const std::pair<std::string, std::string> behind = {"x-behind", "in the table too"};
        const auto field = is_name ? std::pair(large, std::string("value"))
                                   : std::pair(std::string("x-large"), large);
        std::string frames = FramesOf(encoder.Encode({before, field, behind}), 16'384);
        limiter.Limit(frames);
        Fields fields;
        ASSERT_TRUE(decoder.Decode(BlockIn(frames), &fields));
        ASSERT_GE(fields.size(), 3u);
        EXPECT_EQ(fields.front(), before);
        EXPECT_EQ(fields.back(), behind);
        const std::string& cut = is_name ? fields[1].first : fields[1].second;
        EXPECT_GE(cut.size(), FieldLimiter::kLeastCutBytes);
        EXPECT_LE(cut.size(), FieldLimiter::kMostBytes);
        // The table is the encoder's.
        std::string next = FramesOf(encoder.Encode({before, behind, {"x-next", "1"}}), 16'384);
        limiter.Limit(next);
        fields.clear();
        ASSERT_TRUE(decoder.Decode(BlockIn(next), &fields));
        EXPECT_EQ(fields, (Fields{before, behind, {"x-next", "1"}}));
      }
    }
  }
}

TEST(GrpcFieldLimiterTest, ItDoesNotMatterHowTheBytesCome) {
  std::mt19937 random(1);
  const auto up_to = [&](size_t most) {
    return std::uniform_int_distribution<size_t>(0, most)(random);
  };
  for (int round = 0; round < 200; ++round) {
    Encoder encoder;
    std::string bytes(kPreface);
    for (size_t i = up_to(4); i > 0; --i) {
      Fields fields;
      for (size_t j = up_to(3); j > 0; --j) {
        const size_t sizes[] = {3, 127, 300, 70'000, 120'000};
        const char letter = "a~"[up_to(1)];
        fields.emplace_back(std::string(sizes[up_to(4)], letter),
                            std::string(sizes[up_to(4)], letter));
      }
      bytes += FramesOf(encoder.Encode(fields), 1 + up_to(16'383));
      bytes += FrameOf(NGHTTP2_PING, 0, "12345678");
    }
    std::string whole = bytes;
    FieldLimiter at_once;
    at_once.Limit(whole);
    std::string pieces = bytes;
    FieldLimiter piecewise;
    for (size_t begin = 0; begin < pieces.size();) {
      const size_t size = std::min(1 + up_to(round % 2 == 0 ? 20 : 16'384), pieces.size() - begin);
      piecewise.Limit(std::span(pieces).subspan(begin, size));
      begin += size;
    }
    ASSERT_EQ(pieces, whole) << "round " << round;
  }
}

TEST(GrpcFieldLimiterTest, PaddingAndPriorityAreNoPartOfTheBlock) {
  Encoder encoder;
  const std::string block = encoder.Encode({{"x-large", std::string(70'000, '~')}});
  const std::string padded = std::string("\4\0\0\0\0\7", 6) + block.substr(0, 100) + "~~~~";
  std::string bytes = std::string(kPreface) +
                      FrameOf(NGHTTP2_HEADERS, NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY, padded);
  std::string rest = FramesOf(block.substr(100), 16'384);
  rest[3] = NGHTTP2_CONTINUATION;
  FieldLimiter limiter;
  limiter.Limit(bytes);
  limiter.Limit(rest);
  EXPECT_TRUE(bytes.ends_with("~~~~"));
  const std::string first = bytes.substr(bytes.size() - 104, 100);
  Fields fields;
  ASSERT_TRUE(Decoder().Decode(first + BlockIn(rest), &fields));
  EXPECT_EQ(fields.at(0).first, "x-large");
  EXPECT_LE(fields.at(0).second.size(), FieldLimiter::kMostBytes);
}

}  // namespace
}  // namespace crier
