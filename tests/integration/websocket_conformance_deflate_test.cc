// RFC 7692: permessage-deflate, its negotiation and its messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/conformance_fixture.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint8_t kCompressed = 4;  // RSV1
const std::string kExtension = "permessage-deflate";

class WebSocketDeflateConformanceTest : public ConformanceTest {
 protected:
  // What the server answers to these offers; empty: nothing.
  std::string Answer(const std::string& offers) {
    WebSocketClient client = ConnectEcho(offers);
    constexpr std::string_view kName = "Sec-WebSocket-Extensions: ";
    const std::string& response = client.response();
    const size_t at = response.find(kName);
    if (at == std::string::npos) return {};
    const size_t from = at + kName.size();
    return response.substr(from, response.find("\r\n", from) - from);
  }
  // The next message, inflated if need be.
  std::string ReadMessage(WebSocketClient& client, uint8_t opcode = kText) {
    const auto frame = client.ReadFrame();
    if (!frame) return "nothing came";
    EXPECT_EQ(frame->opcode, opcode);
    return frame->rsv1 ? deflate_.Inflated(frame->payload) : frame->payload;
  }
  void ExpectMessage(WebSocketClient& client, const std::string& message) {
    EXPECT_TRUE(ReadMessage(client) == message);
  }

  MessageDeflate deflate_;
};

// --- Section 7.1: negotiation.

TEST_F(WebSocketDeflateConformanceTest, AnOfferIsAgreedToWithoutTakeover) {
  const std::string agreed =
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  EXPECT_EQ(Answer("permessage-deflate"), agreed);
  EXPECT_EQ(Answer("permessage-deflate; client_no_context_takeover"), agreed);
  EXPECT_EQ(Answer("permessage-deflate; server_no_context_takeover"), agreed);
  EXPECT_EQ(Answer("permessage-deflate; client_max_window_bits"), agreed);
  EXPECT_EQ(Answer("permessage-deflate; client_max_window_bits=8"), agreed);
  EXPECT_EQ(Answer("permessage-deflate; client_max_window_bits=\"10\""), agreed);
  EXPECT_EQ(Answer("Permessage-Deflate; Client_Max_Window_Bits=15"), agreed);
}

TEST_F(WebSocketDeflateConformanceTest, AWindowThatIsAskedForIsKept) {
  for (int bits = 9; bits <= 15; ++bits) {
    const std::string parameter = "; server_max_window_bits=" + std::to_string(bits);
    EXPECT_TRUE(Answer(kExtension + parameter).ends_with(parameter)) << bits;
  }
}

TEST_F(WebSocketDeflateConformanceTest, AWindowThatCannotBeHadIsDeclined) {
  EXPECT_EQ(Answer("permessage-deflate; server_max_window_bits=8"), "");
  EXPECT_TRUE(Answer("permessage-deflate; server_max_window_bits=8, "
                     "permessage-deflate; server_max_window_bits=11")
                  .ends_with("server_max_window_bits=11"));
}

TEST_F(WebSocketDeflateConformanceTest, WhatIsNoOfferIsPassedOver) {
  for (const std::string bad :
       {"server_max_window_bits", "server_max_window_bits=7", "server_max_window_bits=16",
        "server_max_window_bits=010", "server_max_window_bits=1x", "server_max_window_bits=-9",
        "client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=0",
        "server_no_context_takeover=1", "client_no_context_takeover=yes", "unknown", "unknown=1",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits=10; server_max_window_bits=10"}) {
    EXPECT_EQ(Answer(kExtension + "; " + bad), "") << bad;
    EXPECT_THAT(Answer(kExtension + "; " + bad + ", permessage-deflate"), HasSubstr(kExtension))
        << bad;
  }
  EXPECT_EQ(Answer("x-webkit-deflate-frame"), "");
  EXPECT_THAT(Answer("other; a=b, permessage-deflate"), HasSubstr(kExtension));
}

TEST_F(WebSocketDeflateConformanceTest, OffersMayComeInSeveralHeaders) {
  WebSocketClient client = Connect(
      {.target = "/echo",
       .headers = {{"Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=8"},
                   {"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"}}});
  EXPECT_THAT(client.response(), HasSubstr("permessage-deflate; server_no_context_takeover"));
}

TEST_F(WebSocketDeflateConformanceTest, WithoutAnAgreementRsv1IsAnError) {
  ExpectFails(Script().Frame(kText, deflate_.Deflated("x"), true, kCompressed), 1002);
  ExpectFails(Script().Frame(kText, deflate_.Deflated("x"), true, kCompressed), 1002,
              "permessage-deflate; server_max_window_bits=8");
}

// --- Section 6: which frames may be compressed.

TEST_F(WebSocketDeflateConformanceTest, OnlyTheFirstFrameOfAMessageMayHaveRsv1) {
  const std::string deflated = deflate_.Deflated("a message");
  ExpectFails(Script()
                  .Frame(kText, deflated.substr(0, 2), /*fin=*/false, kCompressed)
                  .Frame(kContinuation, deflated.substr(2), true, kCompressed),
              1002, kExtension);
  for (const uint8_t opcode : {kPing, kPong, kClose}) {
    ExpectFails(Script().Frame(opcode, "", true, kCompressed), 1002, kExtension);
  }
  for (const uint8_t rsv : {1, 2, 5, 6}) {
    ExpectFails(Script().Frame(kText, deflated, true, rsv), 1002, kExtension);
  }
}

// --- Section 7.2: messages.

TEST_F(WebSocketDeflateConformanceTest, MessagesOfEveryLengthComeBack) {
  std::string all;
  for (int i = 0; all.size() < 300'000; ++i) all += std::to_string(i * 7919) + (i % 3 ? "," : "\n");
  for (const size_t length : {0, 1, 2, 16, 64, 125, 126, 1024, 4096, 16'385, 65'536, 300'000}) {
    SCOPED_TRACE(length);
    const std::string message = all.substr(0, length);
    InEverySplit(
        Script()
            .Frame(kText, deflate_.Deflated(message), true, kCompressed)
            .Frame(kText, message)
            .Frame(kText, deflate_.Deflated(message), true, kCompressed),
        [&](WebSocketClient& client) {
          for (int i = 0; i < 3; ++i) ExpectMessage(client, message);
        },
        kExtension);
  }
}

TEST_F(WebSocketDeflateConformanceTest, EveryWindowOfEitherSideComesBack) {
  std::string message;
  for (int i = 0; message.size() < 100'000; ++i) message += std::to_string(i % 1000) + " bottles; ";
  for (int bits = 9; bits <= 15; ++bits) {
    SCOPED_TRACE(bits);
    MessageDeflate of_client(bits);
    const std::string number = std::to_string(bits);
    InEverySplit(
        Script().Frame(kText, of_client.Deflated(message), true, kCompressed),
        [&](WebSocketClient& client) {
          const auto frame = client.ReadFrame();
          ASSERT_TRUE(frame);
          EXPECT_TRUE(frame->rsv1);
          // Inflated with a window no wider than was agreed on.
          z_stream stream{};
          ASSERT_EQ(inflateInit2(&stream, -bits), Z_OK);
          std::string bytes = frame->payload + std::string("\0\0\xff\xff", 4);
          std::string out(message.size() + 1, '\0');
          stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
          stream.avail_in = static_cast<uInt>(bytes.size());
          stream.next_out = reinterpret_cast<Bytef*>(out.data());
          stream.avail_out = static_cast<uInt>(out.size());
          EXPECT_EQ(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
          inflateEnd(&stream);
          out.resize(out.size() - stream.avail_out);
          EXPECT_TRUE(out == message);
        },
        "permessage-deflate; client_max_window_bits=" + number +
            "; server_max_window_bits=" + number);
  }
}

TEST_F(WebSocketDeflateConformanceTest, AMessageMayComeInFragments) {
  std::string message;
  for (int i = 0; message.size() < 10'000; ++i) message += std::to_string(i * 31) + " ";
  const std::string deflated = deflate_.Deflated(message);
  for (const size_t size : {1, 7, 256, 1000}) {
    SCOPED_TRACE(size);
    Script script;
    for (size_t at = 0; at < deflated.size(); at += size) {
      script.Frame(at == 0 ? kText : kContinuation, deflated.substr(at, size), /*fin=*/false,
                   at == 0 ? kCompressed : 0);
      if (at % 5 == 0) script.Frame(kPong, "");
    }
    script.Frame(kContinuation, "");
    InEverySplit(
        script, [&](WebSocketClient& client) { ExpectMessage(client, message); }, kExtension);
  }
}

TEST_F(WebSocketDeflateConformanceTest, TheExamplesOfTheRfc) {
  const std::string one_block("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
  const std::string without_compression("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11);
  const std::string final_block("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8);
  const std::string two_blocks("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13);
  for (const std::string& bytes : {one_block, without_compression, final_block, two_blocks}) {
    InEverySplit(
        Script()
            .Frame(kText, bytes, true, kCompressed)
            .Frame(kText, bytes.substr(0, 3), /*fin=*/false, kCompressed)
            .Frame(kContinuation, bytes.substr(3)),
        [&](WebSocketClient& client) {
          ExpectMessage(client, "Hello");
          ExpectMessage(client, "Hello");
        },
        kExtension);
  }
}

TEST_F(WebSocketDeflateConformanceTest, FinalBlocksDoNotEndAMessage) {
  const std::string first = "the first part, which ends with a final block; ";
  const std::string second = "the second, which begins anew";
  std::string bytes = deflate_.DeflatedFinal(first);
  bytes.pop_back();
  bytes += deflate_.DeflatedFinal(second);
  InEverySplit(
      Script()
          .Frame(kText, bytes, true, kCompressed)
          .Frame(kText, deflate_.Deflated(second), true, kCompressed),
      [&](WebSocketClient& client) {
        ExpectMessage(client, first + second);
        ExpectMessage(client, second);
      },
      kExtension);
}

TEST_F(WebSocketDeflateConformanceTest, EmptyBlocksAndFragmentsAreAnEmptyMessage) {
  InEverySplit(
      Script()
          .Frame(kText, std::string(1, '\0'), true, kCompressed)
          .Frame(kText, "", /*fin=*/false, kCompressed)
          .Frame(kContinuation, std::string(1, '\0')),
      [&](WebSocketClient& client) {
        ExpectMessage(client, "");
        ExpectMessage(client, "");
      },
      kExtension);
}

// --- What cannot be inflated.

TEST_F(WebSocketDeflateConformanceTest, CorruptDataIsRefused) {
  const std::string good = deflate_.Deflated(std::string(500, 'a') + "bcdefg");
  for (const std::string& bad : {std::string(40, '\xFF'),                 // a reserved block type
                                 std::string("\x00\x05\x00\x00\x00", 5),  // LEN without NLEN
                                 std::string("\x4b\x04\xa1\x00\x00", 5),  // before the beginning
                                 good.substr(0, good.size() - 3)}) {      // cut
    SCOPED_TRACE(::testing::PrintToString(bad));
    ExpectFails(Script().Frame(kText, bad, true, kCompressed), 1007, kExtension);
    ExpectFails(Script().Frame(kBinary, bad, /*fin=*/false, kCompressed).Frame(kContinuation, ""),
                1007, kExtension);
  }
}

TEST_F(WebSocketDeflateConformanceTest, AWindowFromTheMessageBeforeIsRefused) {
  const std::string message = "something that can be referred to";
  const std::string first = deflate_.Deflated(message);
  const std::string second = deflate_.DeflatedOn(message);
  ASSERT_LT(second.size(), first.size()) << "it does refer to it";
  InEverySplit(
      Script().Frame(kText, first, true, kCompressed).Frame(kText, second, true, kCompressed),
      [&](WebSocketClient& client) {
        ExpectMessage(client, message);
        ExpectClose(client, 1007);
      },
      kExtension);
}

TEST_F(WebSocketDeflateConformanceTest, TextIsUtf8WhenItIsInflated) {
  const std::string greek = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";
  ExpectFails(Script().Frame(kText, deflate_.Deflated(greek + "\xED\xA0\x80"), true, kCompressed),
              1007, kExtension);
  ExpectFails(Script().Frame(kText, deflate_.Deflated(greek + "\xCE"), true, kCompressed), 1007,
              kExtension);
  InEverySplit(
      Script().Frame(kBinary, deflate_.Deflated("\xFF"), true, kCompressed),
      [&](WebSocketClient& client) { EXPECT_EQ(ReadMessage(client, kBinary), "\xFF"); },
      kExtension);
}

TEST_F(WebSocketDeflateConformanceTest, BadTextFailsBeforeTheMessageEnds) {
  WebSocketClient client = ConnectEcho(kExtension);
  client.SendFrame(kText, deflate_.Deflated("wrong \xFF ") + std::string("\0\0\xff\xff", 4),
                   /*fin=*/false, kCompressed);
  ExpectClose(client, 1007);
}

TEST_F(WebSocketDeflateConformanceTest, ABombIsRefusedAndCostsNoMemory) {
  // 64 MiB of zeros in 64 KiB.
  const std::string bomb = deflate_.Deflated(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), 100'000u);
  ExpectFails(Script().Frame(kBinary, bomb, true, kCompressed), 1009, kExtension);
  Script fragments;
  for (size_t at = 0; at < bomb.size(); at += 1000) {
    fragments.Frame(at == 0 ? kBinary : kContinuation, bomb.substr(at, 1000), /*fin=*/false,
                    at == 0 ? kCompressed : 0);
  }
  ExpectFails(fragments, 1009, kExtension);
}

TEST_F(WebSocketDeflateConformanceTest, SixteenMebibytesComeBackDeflated) {
  const std::string message(16 << 20, 'x');
  WebSocketClient client = ConnectEcho(kExtension);
  client.SendFrame(kBinary, deflate_.Deflated(message), true, kCompressed);
  EXPECT_TRUE(ReadMessage(client, kBinary) == message);
  client.SendFrame(kBinary, deflate_.Deflated(message + "x"), true, kCompressed);
  ExpectClose(client, 1009);
}

TEST_F(WebSocketDeflateConformanceTest, ASessionTakesDeflatedMessages) {
  WebSocketClient client =
      Connect({.target = "/ws", .headers = {{"Sec-WebSocket-Extensions", kExtension}}});
  SendSplit(client,
            Script().Frame(kText, deflate_.Deflated(Say("direct", std::string(3000, 'd'))), true,
                           kCompressed),
            Split::kRandom);
  EXPECT_THAT(ReadMessage(client), HasSubstr(std::string(3000, 'd')));
}

}  // namespace
}  // namespace crier::testing
