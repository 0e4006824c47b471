// Messages as they lie in a stream's bytes: whole, cut anywhere, compressed, and wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/grpc/message_reader.h"
#include "tests/support/compressed.h"

namespace crier {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kMax = 1000;

// A message as a client lays it into the stream.
std::string Framed(std::string_view message, char flag = 0) {
  std::string bytes;
  AppendMessagePrefix(message.size(), &bytes);
  bytes[0] = flag;
  return bytes.append(message);
}

std::string Compressed(std::string_view text, MessageEncoding encoding) {
  return testing::Compressed(
      text, encoding == MessageEncoding::kGzip ? testing::kGzipWindow : testing::kDeflateWindow);
}

class GrpcMessageReaderTest : public ::testing::Test {
 protected:
  // Feeds one piece, and takes what is whole by then.
  void Feed(std::string_view piece) {
    // A copy that is gone afterwards, so that AddressSanitizer sees who keeps a view of it.
    const std::string copy(piece);
    reader_.Feed(copy);
    while (const auto message = reader_.Next(kMax)) messages_.emplace_back(*message);
  }
  // The same, cut into pieces of this size.
  void FeedInPieces(std::string_view bytes, size_t size) {
    for (size_t at = 0; at < bytes.size(); at += size) Feed(bytes.substr(at, size));
  }
  void ExpectError(GrpcCode code, const std::string& part_of_text) {
    ASSERT_NE(reader_.error(), nullptr);
    EXPECT_EQ(reader_.error()->code, static_cast<int>(code));
    EXPECT_THAT(reader_.error()->message, HasSubstr(part_of_text));
  }
  void StartAnew(MessageEncoding encoding = MessageEncoding::kIdentity) {
    reader_ = MessageReader();
    reader_.set_encoding(encoding);
    messages_.clear();
  }

  MessageReader reader_;
  std::vector<std::string> messages_;
};

TEST_F(GrpcMessageReaderTest, APrefixIsAByteAndFourOfLength) {
  std::string prefix = "before";
  AppendMessagePrefix(0x01020304, &prefix);
  EXPECT_EQ(prefix, std::string("before\0\1\2\3\4", 11));
}

TEST_F(GrpcMessageReaderTest, KnowsTheEncodingsThatItAccepts) {
  EXPECT_EQ(MessageEncodingOf(""), MessageEncoding::kIdentity);
  EXPECT_EQ(MessageEncodingOf("identity"), MessageEncoding::kIdentity);
  EXPECT_EQ(MessageEncodingOf("gzip"), MessageEncoding::kGzip);
  EXPECT_EQ(MessageEncodingOf("deflate"), MessageEncoding::kDeflate);
  EXPECT_EQ(MessageEncodingOf("snappy"), std::nullopt);
  EXPECT_EQ(MessageEncodingOf("GZIP"), std::nullopt);
}

TEST_F(GrpcMessageReaderTest, AWholeMessageInOnePiece) {
  Feed(Framed("hello"));
  EXPECT_THAT(messages_, ElementsAre("hello"));
  EXPECT_FALSE(reader_.in_message());
  EXPECT_EQ(reader_.error(), nullptr);
}

TEST_F(GrpcMessageReaderTest, SeveralInOnePieceAndThePartOfAnother) {
  Feed(Framed("one") + Framed("") + Framed("three") + Framed("four").substr(0, 7));
  EXPECT_THAT(messages_, ElementsAre("one", "", "three"));
  EXPECT_TRUE(reader_.in_message());
  Feed(Framed("four").substr(7) + Framed("five"));
  EXPECT_THAT(messages_, ElementsAre("one", "", "three", "four", "five"));
  EXPECT_FALSE(reader_.in_message());
}

TEST_F(GrpcMessageReaderTest, AnEmptyMessageIsAMessage) {
  Feed(Framed(""));
  EXPECT_THAT(messages_, ElementsAre(""));
  FeedInPieces(Framed("") + Framed(""), 1);
  EXPECT_THAT(messages_, ElementsAre("", "", ""));
  EXPECT_FALSE(reader_.in_message());
}

TEST_F(GrpcMessageReaderTest, WhoWantsNoMoreTakesTheRest) {
  const std::string bytes = Framed("one") + Framed("two") + Framed("three");
  for (size_t cut = 0; cut <= 8; ++cut) {
    SCOPED_TRACE(cut);  // "one" comes in one piece or in two
    StartAnew();
    Feed(std::string_view(bytes).substr(0, cut));
    reader_.Feed(std::string_view(bytes).substr(cut));
    if (cut < 8) {
      ASSERT_EQ(reader_.Next(1000), "one");
    }
    const std::string rest(reader_.TakeRest());
    EXPECT_EQ(rest, Framed("two") + Framed("three"));
    EXPECT_FALSE(reader_.in_message());
    EXPECT_EQ(reader_.Next(1000), std::nullopt);
    messages_.clear();
    Feed(rest);
    EXPECT_THAT(messages_, ElementsAre("two", "three"));
  }
}

TEST_F(GrpcMessageReaderTest, APieceOfNothingChangesNothing) {
  Feed("");
  EXPECT_FALSE(reader_.in_message());
  Feed(Framed("hello").substr(0, 6));
  Feed("");
  EXPECT_TRUE(reader_.in_message());
  Feed(Framed("hello").substr(6));
  EXPECT_THAT(messages_, ElementsAre("hello"));
}

TEST_F(GrpcMessageReaderTest, CutAtEveryByte) {
  const std::string bytes = Framed("hello") + Framed("") + Framed(std::string(300, 'x'));
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    StartAnew();
    Feed(std::string_view(bytes).substr(0, cut));
    const bool at_an_end = cut == 0 || cut == 10 || cut == 15 || cut == bytes.size();
    EXPECT_EQ(reader_.in_message(), !at_an_end);
    Feed(std::string_view(bytes).substr(cut));
    EXPECT_THAT(messages_, ElementsAre("hello", "", std::string(300, 'x')));
    EXPECT_FALSE(reader_.in_message());
  }
}

TEST_F(GrpcMessageReaderTest, InPiecesOfEverySize) {
  const std::string bytes = Framed("a") + Framed("second message") + Framed("") + Framed("last");
  for (size_t size = 1; size <= bytes.size(); ++size) {
    SCOPED_TRACE(size);
    StartAnew();
    FeedInPieces(bytes, size);
    EXPECT_THAT(messages_, ElementsAre("a", "second message", "", "last"));
  }
}

TEST_F(GrpcMessageReaderTest, AMessageMayBeAsLongAsTheLimit) {
  const std::string longest(kMax, 'x');
  for (const size_t size : {size_t{1}, size_t{600}, size_t{2000}}) {
    StartAnew();
    FeedInPieces(Framed(longest), size);
    EXPECT_THAT(messages_, ElementsAre(longest));
  }
}

TEST_F(GrpcMessageReaderTest, OverTheLimitItIsRefusedByItsPrefixAlone) {
  std::string prefix;
  AppendMessagePrefix(kMax + 1, &prefix);
  FeedInPieces(Framed("before") + prefix, 1);
  EXPECT_THAT(messages_, ElementsAre("before"));
  ExpectError(GrpcCode::kResourceExhausted, "1001 bytes; the limit is 1000");
  EXPECT_FALSE(reader_.in_message()) << "none of it is kept";

  StartAnew();
  Feed(std::string("\0\xFF\xFF\xFF\xFF", 5));
  ExpectError(GrpcCode::kResourceExhausted, "4294967295 bytes");
}

TEST_F(GrpcMessageReaderTest, TheFirstByteIsZeroOrOne) {
  for (const int flag : {2, 0x7F, 0x80, 0xFF}) {
    StartAnew(MessageEncoding::kGzip);
    Feed(Framed("hello", static_cast<char>(flag)));
    ExpectError(GrpcCode::kInternal, "begins with " + std::to_string(flag));
    EXPECT_THAT(messages_, ElementsAre());
  }
}

TEST_F(GrpcMessageReaderTest, CompressedMessagesAreReadInPiecesOfEverySize) {
  const std::string text = "what is said twice is said twice is compressed";
  for (const MessageEncoding encoding : {MessageEncoding::kGzip, MessageEncoding::kDeflate}) {
    const std::string one = Framed(Compressed(text, encoding), 1);
    // A call may compress some of its messages only.
    const std::string bytes = one + Framed("as it is") + one + Framed(Compressed("", encoding), 1);
    for (size_t size = 1; size <= bytes.size(); ++size) {
      SCOPED_TRACE(size);
      StartAnew(encoding);
      FeedInPieces(bytes, size);
      EXPECT_THAT(messages_, ElementsAre(text, "as it is", text, ""));
      EXPECT_EQ(reader_.error(), nullptr);
    }
  }
}

TEST_F(GrpcMessageReaderTest, CompressedWithoutAnEncoding) {
  Feed(Framed(Compressed("hello", MessageEncoding::kGzip), 1));
  ExpectError(GrpcCode::kInternal, "without grpc-encoding");
}

TEST_F(GrpcMessageReaderTest, WhatCannotBeDecompressedIsRefused) {
  const std::string gzip = Compressed("hello, hello", MessageEncoding::kGzip);
  std::string wrong_checksum = gzip;
  wrong_checksum[gzip.size() - 8] = static_cast<char>(~wrong_checksum[gzip.size() - 8]);
  const std::string cut = gzip.substr(0, gzip.size() - 1);
  const std::string other = Compressed("hello, hello", MessageEncoding::kDeflate);
  for (const std::string& broken :
       {std::string("no gzip at all"), std::string(), cut, wrong_checksum, other}) {
    StartAnew(MessageEncoding::kGzip);
    Feed(Framed(broken, 1));
    ExpectError(GrpcCode::kInternal, "cannot be decompressed");
    EXPECT_THAT(messages_, ElementsAre());
  }
}

TEST_F(GrpcMessageReaderTest, WhatFollowsACompressedMessagesEndIsRefused) {
  reader_.set_encoding(MessageEncoding::kGzip);
  Feed(Framed(Compressed("hello", MessageEncoding::kGzip) + "more", '\1'));
  EXPECT_TRUE(messages_.empty());
  ExpectError(GrpcCode::kInternal, "decompressed");
}

TEST_F(GrpcMessageReaderTest, ABombIsRefused) {
  for (const MessageEncoding encoding : {MessageEncoding::kGzip, MessageEncoding::kDeflate}) {
    StartAnew(encoding);
    Feed(Framed(Compressed(std::string(kMax, 'x'), encoding), 1));
    EXPECT_THAT(messages_, ElementsAre(std::string(kMax, 'x')));
    for (const size_t size : {kMax + 1, 100 * kMax}) {
      StartAnew(encoding);
      const std::string bomb = Compressed(std::string(size, 'x'), encoding);
      ASSERT_LT(bomb.size(), kMax);
      Feed(Framed(bomb, 1));
      ExpectError(GrpcCode::kResourceExhausted, "more than 1000 bytes");
      EXPECT_THAT(messages_, ElementsAre());
    }
  }
}

TEST_F(GrpcMessageReaderTest, AnErrorStays) {
  Feed(Framed("first") + Framed("wrong", 7) + Framed("behind it"));
  EXPECT_THAT(messages_, ElementsAre("first"));
  const std::string text = reader_.error()->message;
  Feed(Framed("later"));
  EXPECT_THAT(messages_, ElementsAre("first"));
  ExpectError(GrpcCode::kInternal, text);
  EXPECT_FALSE(reader_.in_message());
}

}  // namespace
}  // namespace crier
