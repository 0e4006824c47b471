// RFC 6455, section 5: framing, masking, control frames, fragmentation; and limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/conformance_fixture.h"

namespace crier::testing {
namespace {

class WebSocketFramingConformanceTest : public ConformanceTest {};

std::string Counted(size_t length) {
  std::string payload(length, '\0');
  for (size_t i = 0; i < length; ++i) payload[i] = static_cast<char>('a' + i % 26);
  return payload;
}

constexpr size_t kLengths[] = {0,   1,    2,    3,     4,     7,     8,      9,
                               124, 125,  126,  127,   128,   65534, 65535,  65536,
                               255, 4096, 8191, 16383, 16384, 16385, 100'000};

TEST_F(WebSocketFramingConformanceTest, MessagesOfEveryLengthComeBack) {
  for (const size_t length : kLengths) {
    SCOPED_TRACE(length);
    const std::string payload = Counted(length);
    InEverySplit(Script().Frame(kText, payload).Frame(kBinary, payload),
                 [&](WebSocketClient& client) {
                   ExpectFrame(client, kText, payload);
                   ExpectFrame(client, kBinary, payload);
                 });
  }
}

TEST_F(WebSocketFramingConformanceTest, BytesOfEveryValueComeBack) {
  std::string payload(256 * 3, '\0');
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i);
  InEverySplit(Script().Frame(kBinary, payload),
               [&](WebSocketClient& client) { ExpectFrame(client, kBinary, payload); });
}

TEST_F(WebSocketFramingConformanceTest, AMaskOfZerosIsAMask) {
  const std::string frame = std::string("\x81\x83\0\0\0\0", 6) + "abc";
  InEverySplit(Script().Raw(frame),
               [&](WebSocketClient& client) { ExpectFrame(client, kText, "abc"); });
}

TEST_F(WebSocketFramingConformanceTest, AFrameWithoutAMaskIsAnError) {
  for (const int start : {0x81, 0x82, 0x88, 0x89, 0x8A}) {
    SCOPED_TRACE(start);
    ExpectFails(Script().Raw(std::string(1, static_cast<char>(start)) + std::string("\x02hi", 3)),
                1002);
  }
}

// --- Section 5.2: the length.

TEST_F(WebSocketFramingConformanceTest, ALengthThatIsNotTheShortestIsAnError) {
  const std::string mask(4, 'm');
  for (const std::string& length :
       {std::string("\xFE\x00\x7D", 3), std::string("\xFE\x00\x00", 3),
        std::string("\xFF\0\0\0\0\0\0\0\x7D", 9), std::string("\xFF\0\0\0\0\0\0\xFF\xFF", 9)}) {
    ExpectFails(Script().Raw("\x82" + length + mask), 1002);
  }
}

TEST_F(WebSocketFramingConformanceTest, ALengthWithItsHighestBitSetIsAnError) {
  const std::string mask(4, 'm');
  ExpectFails(Script().Raw("\x82" + std::string("\xFF\x80\0\0\0\0\0\0\0", 9) + mask), 1002);
  ExpectFails(Script().Raw("\x82" + std::string(9, '\xFF') + mask), 1002);
}

TEST_F(WebSocketFramingConformanceTest, AMessageOverTheLimitIsRefusedWhenItsLengthIsKnown) {
  const std::string mask(4, 'm');
  ExpectFails(Script().Raw("\x82" + std::string("\xFF\0\0\0\0\x01\0\0\x01", 9) + mask), 1009);
  ExpectFails(Script().Raw("\x82" + std::string("\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9) + mask),
              1009);
}

TEST_F(WebSocketFramingConformanceTest, SixteenMebibytesComeBack) {
  const std::string payload = Counted(16 << 20);
  WebSocketClient client = ConnectEcho();
  std::thread sender([&] { client.SendFrame(kBinary, payload); });
  ExpectFrame(client, kBinary, payload);
  sender.join();
}

TEST_F(WebSocketFramingConformanceTest, FragmentsOverTheLimitTogetherAreRefused) {
  WebSocketClient client = ConnectEcho();
  const std::string part = Counted(1 << 20);
  std::thread sender([&] {
    client.SendFrame(kBinary, part, /*fin=*/false);
    for (int i = 0; i < 16; ++i) client.SendFrame(kContinuation, part, /*fin=*/false);
  });
  ExpectClose(client, 1009);
  sender.join();
}

// --- Section 5.2: reserved bits and opcodes.

TEST_F(WebSocketFramingConformanceTest, ReservedBitsAreAnError) {
  for (const uint8_t opcode : {kText, kBinary, kClose, kPing, kPong}) {
    for (uint8_t rsv = 1; rsv < 8; ++rsv) {
      SCOPED_TRACE(::testing::Message() << int{opcode} << ", " << int{rsv});
      ExpectFails(Script().Frame(opcode, opcode == kClose ? "" : "x", true, rsv), 1002);
    }
  }
}

TEST_F(WebSocketFramingConformanceTest, WhatCameBeforeAnErrorComesBack) {
  InEverySplit(Script().Frame(kText, "before").Frame(kText, "wrong", true, 3).Frame(kPing, "never"),
               [](WebSocketClient& client) {
                 ExpectFrame(client, kText, "before");
                 ExpectClose(client, 1002);
               });
}

TEST_F(WebSocketFramingConformanceTest, ReservedOpcodesAreAnError) {
  for (const uint8_t opcode : {0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF}) {
    SCOPED_TRACE(int{opcode});
    ExpectFails(Script().Frame(opcode, ""), 1002);
    ExpectFails(Script().Frame(opcode, "x"), 1002);
    ExpectFails(Script().Frame(kText, "a", /*fin=*/false).Frame(opcode, "x"), 1002);
  }
}

TEST_F(WebSocketFramingConformanceTest, ARefusalDoesNotWaitForTheRest) {
  for (const std::string& start :
       {std::string("\x83"), std::string("\xB1"), std::string("\x09"), std::string("\x80"),
        std::string("\x81\x01"), std::string("\x89\xFE"), std::string("\x88\xFE")}) {
    WebSocketClient client = ConnectEcho();
    ASSERT_TRUE(client.SendRaw(start));
    ExpectClose(client, 1002);
  }
}

// --- Section 5.5: control frames.

TEST_F(WebSocketFramingConformanceTest, EachPingIsAnsweredWithItsPayload) {
  Script script;
  std::vector<std::string> payloads = {"", "p", "\xFF\xFE\xFD\xFC\xFB", Counted(124), Counted(125)};
  for (int i = 0; i < 10; ++i) payloads.push_back("payload-" + std::to_string(i));
  for (const std::string& payload : payloads) script.Frame(kPing, payload);
  InEverySplit(script, [&](WebSocketClient& client) {
    for (const std::string& payload : payloads) ExpectFrame(client, kPong, payload);
  });
}

TEST_F(WebSocketFramingConformanceTest, APongIsAnsweredWithNothing) {
  InEverySplit(Script().Frame(kPong, "").Frame(kPong, "unsolicited").Frame(kPing, "asked"),
               [](WebSocketClient& client) { ExpectFrame(client, kPong, "asked"); });
}

TEST_F(WebSocketFramingConformanceTest, AControlFrameOver125BytesIsAnError) {
  for (const uint8_t opcode : {kClose, kPing, kPong}) {
    ExpectFails(Script().Frame(opcode, std::string(126, '\x03')), 1002);
  }
}

TEST_F(WebSocketFramingConformanceTest, AControlFrameInFragmentsIsAnError) {
  for (const uint8_t opcode : {kClose, kPing, kPong}) {
    ExpectFails(Script().Frame(opcode, "", /*fin=*/false).Frame(kContinuation, ""), 1002);
  }
}

// --- Section 5.4: fragmentation.

TEST_F(WebSocketFramingConformanceTest, FragmentsBecomeOneMessage) {
  for (const uint8_t opcode : {kText, kBinary}) {
    InEverySplit(Script()
                     .Frame(opcode, "frag", /*fin=*/false)
                     .Frame(kContinuation, "men", /*fin=*/false)
                     .Frame(kContinuation, "", /*fin=*/false)
                     .Frame(kContinuation, "ts")
                     .Frame(opcode, "whole"),
                 [opcode](WebSocketClient& client) {
                   ExpectFrame(client, opcode, "fragments");
                   ExpectFrame(client, opcode, "whole");
                 });
  }
}

TEST_F(WebSocketFramingConformanceTest, EmptyFragmentsBecomeAnEmptyMessage) {
  InEverySplit(Script()
                   .Frame(kText, "", /*fin=*/false)
                   .Frame(kContinuation, "", /*fin=*/false)
                   .Frame(kContinuation, ""),
               [](WebSocketClient& client) { ExpectFrame(client, kText, ""); });
}

TEST_F(WebSocketFramingConformanceTest, ControlFramesMayComeBetweenFragments) {
  const std::string part = Counted(20'000);
  InEverySplit(Script()
                   .Frame(kBinary, part, /*fin=*/false)
                   .Frame(kPing, "one")
                   .Frame(kContinuation, part, /*fin=*/false)
                   .Frame(kPong, "")
                   .Frame(kPing, Counted(125))
                   .Frame(kContinuation, "end"),
               [&part](WebSocketClient& client) {
                 ExpectFrame(client, kPong, "one");
                 ExpectFrame(client, kPong, Counted(125));
                 ExpectFrame(client, kBinary, part + part + "end");
               });
}

TEST_F(WebSocketFramingConformanceTest, APingIsAnsweredBeforeTheMessageAroundItEnds) {
  WebSocketClient client = ConnectEcho();
  client.SendRaw(Script().Frame(kText, "a", /*fin=*/false).Frame(kPing, "inside").bytes());
  ExpectFrame(client, kPong, "inside");
  client.SendFrame(kContinuation, "b");
  ExpectFrame(client, kText, "ab");
}

TEST_F(WebSocketFramingConformanceTest, AFragmentMayBeOneByte) {
  const std::string text = Counted(700);
  Script script;
  script.Frame(kText, text.substr(0, 1), /*fin=*/false);
  for (size_t i = 1; i < text.size(); ++i) {
    script.Frame(kContinuation, text.substr(i, 1), i + 1 == text.size());
  }
  InEverySplit(script, [&](WebSocketClient& client) { ExpectFrame(client, kText, text); });
}

TEST_F(WebSocketFramingConformanceTest, AContinuationOfNothingIsAnError) {
  ExpectFails(Script().Frame(kContinuation, "x"), 1002);
  ExpectFails(Script().Frame(kContinuation, "x", /*fin=*/false), 1002);
  InEverySplit(Script()
                   .Frame(kText, "a", /*fin=*/false)
                   .Frame(kContinuation, "b")
                   .Frame(kContinuation, "c", /*fin=*/false),
               [](WebSocketClient& client) {
                 ExpectFrame(client, kText, "ab");
                 ExpectClose(client, 1002);
               });
}

TEST_F(WebSocketFramingConformanceTest, AMessageInsideAMessageIsAnError) {
  for (const uint8_t opcode : {kText, kBinary}) {
    ExpectFails(Script().Frame(kText, "a", /*fin=*/false).Frame(opcode, "b"), 1002);
    ExpectFails(Script().Frame(kText, "a", /*fin=*/false).Frame(opcode, "b", /*fin=*/false), 1002);
  }
}

// --- Everything at once.

TEST_F(WebSocketFramingConformanceTest, ALongConversationOfAllKinds) {
  std::mt19937 random(Seed());
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    Script script;
    std::vector<std::pair<uint8_t, std::string>> expected;
    for (int i = 0; i < 40; ++i) {
      const uint8_t opcode = random() % 2 == 0 ? kText : kBinary;
      const std::string payload = Counted(kLengths[random() % std::size(kLengths)] % 1200);
      const size_t fragments = 1 + random() % 4;
      for (size_t part = 0; part < fragments; ++part) {
        if (random() % 3 == 0) {
          script.Frame(kPing, std::to_string(i));
          expected.emplace_back(kPong, std::to_string(i));
        }
        const size_t from = payload.size() * part / fragments;
        const size_t to = payload.size() * (part + 1) / fragments;
        script.Frame(part == 0 ? opcode : kContinuation, payload.substr(from, to - from),
                     part + 1 == fragments);
      }
      expected.emplace_back(opcode, payload);
    }
    // Few enough to fit into the kernels, because the client reads only afterwards. Pongs may
    // overtake messages, but neither may change its order.
    InEverySplit(script, [&](WebSocketClient& client) {
      std::vector<std::pair<uint8_t, std::string>> pongs, messages, came_pongs, came_messages;
      for (const auto& one : expected) (one.first == kPong ? pongs : messages).push_back(one);
      for (size_t i = 0; i < expected.size(); ++i) {
        const auto frame = client.ReadFrame();
        ASSERT_TRUE(frame) << i << " of " << expected.size();
        (frame->opcode == kPong ? came_pongs : came_messages)
            .emplace_back(frame->opcode, frame->payload);
      }
      EXPECT_TRUE(came_pongs == pongs);
      EXPECT_TRUE(came_messages == messages);
    });
  }
}

}  // namespace
}  // namespace crier::testing
