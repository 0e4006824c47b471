// RFC 6455, sections 5.6 and 8.1: text is UTF-8, and what is not fails as soon as it shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/conformance_fixture.h"

namespace crier::testing {
namespace {

class WebSocketTextConformanceTest : public ConformanceTest {};

const std::string kGreek = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";

// Sequences that no continuation makes right (The Unicode Standard, table 3-7).
std::vector<std::string> Bad() {
  std::vector<std::string> bad = {
      "\x80",              // a continuation of nothing
      "\xBF",              //
      "\xC0\x80",          // overlong forms, of each length
      "\xC1\xBF",          //
      "\xE0\x80\x80",      //
      "\xE0\x9F\xBF",      //
      "\xF0\x80\x80\x80",  //
      "\xF0\x8F\xBF\xBF",  //
      "\xF4\x90\x80\x80",  // past the last code point
      "\xF5\x80\x80\x80",  //
      "\xF8\x88\x80\x80\x80",
      "\xFC\x84\x80\x80\x80\x80",
      "\xFE",
      "\xFF",
      "\xCE x",      // cut by a character
      "\xE1\xBD x",  //
      "\xF0\x9F\x91 x",
      "\xE1\xCE\xBA",  // cut by another sequence
      "\xF4\x8F\xBF\xC2\xA0",
  };
  for (const char second : {'\xA0', '\xAD', '\xAF', '\xB0', '\xBF'}) {
    bad.push_back(std::string("\xED") + second + "\x80");  // surrogates
  }
  return bad;
}

TEST_F(WebSocketTextConformanceTest, EveryFormOfUtf8ComesBack) {
  std::vector<std::string> good = {kGreek,
                                   "\xC2\x80",
                                   "\xDF\xBF",
                                   "\xE0\xA0\x80",
                                   "\xED\x9F\xBF",
                                   "\xEE\x80\x80",
                                   "\xEF\xBF\xBD",
                                   "\xEF\xBF\xBE",
                                   "\xEF\xBF\xBF",
                                   "\xF0\x90\x80\x80",
                                   "\xF0\x9F\xBF\xBF",
                                   "\xF4\x8F\xBF\xBF",
                                   std::string("\0", 1),
                                   "\x7F"};
  std::string all;
  for (const std::string& one : good) all += one + "-";
  good.push_back(all);
  good.push_back(std::string(15'999, 'a') + kGreek + std::string(20'000, 'b') + kGreek);
  for (const std::string& text : good) {
    InEverySplit(Script().Frame(kText, text),
                 [&](WebSocketClient& client) { ExpectFrame(client, kText, text); });
  }
}

TEST_F(WebSocketTextConformanceTest, ACharacterMayBeCutByFragments) {
  const std::string text = kGreek + "\xF0\x9F\x91\x8B";
  for (size_t cut = 1; cut < text.size(); ++cut) {
    InEverySplit(Script()
                     .Frame(kText, text.substr(0, cut), /*fin=*/false)
                     .Frame(kPing, "\xFF")
                     .Frame(kContinuation, text.substr(cut)),
                 [&](WebSocketClient& client) {
                   ExpectFrame(client, kPong, "\xFF");
                   ExpectFrame(client, kText, text);
                 });
  }
}

TEST_F(WebSocketTextConformanceTest, EveryFormOfBadTextIsRefused) {
  for (const std::string& bad : Bad()) {
    SCOPED_TRACE(::testing::PrintToString(bad));
    ExpectFails(Script().Frame(kText, bad), 1007);
    ExpectFails(Script().Frame(kText, kGreek + bad + "and more"), 1007);
    ExpectFails(Script().Frame(kText, kGreek, /*fin=*/false).Frame(kContinuation, bad + " "), 1007);
  }
}

TEST_F(WebSocketTextConformanceTest, SoIsBadTextBehindMuchThatIsGood) {
  for (const std::string bad : {"\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    ExpectFails(Script().Frame(kText, std::string(16'383, 'a') + bad + "and more"), 1007);
    ExpectFails(Script().Frame(kText, std::string(100'000, 'a') + bad), 1007);
  }
}

TEST_F(WebSocketTextConformanceTest, ATextThatEndsInsideACharacterIsRefused) {
  for (const std::string cut : {"\xCE", "\xE1", "\xE1\xBD", "\xF0", "\xF0\x9F", "\xF0\x9F\x91"}) {
    ExpectFails(Script().Frame(kText, kGreek + cut), 1007);
    ExpectFails(Script().Frame(kText, kGreek + cut, /*fin=*/false).Frame(kContinuation, ""), 1007);
  }
}

TEST_F(WebSocketTextConformanceTest, BinaryMessagesMayHoldAnything) {
  for (const std::string& bad : Bad()) {
    InEverySplit(Script().Frame(kBinary, bad),
                 [&](WebSocketClient& client) { ExpectFrame(client, kBinary, bad); });
  }
}

// The refusal comes while the frame, or the message, is not at its end.
TEST_F(WebSocketTextConformanceTest, BadTextFailsFastInsideAFrame) {
  for (const std::string& bad : Bad()) {
    SCOPED_TRACE(::testing::PrintToString(bad));
    const std::string frame =
        WebSocketClient::MaskedFrame(kText, kGreek + bad + std::string(100'000, 'z'));
    for (const Split split : {Split::kNone, Split::kEachByte}) {
      WebSocketClient client = ConnectEcho();
      SendSplit(client, Script().Raw(frame.substr(0, 14 + kGreek.size() + bad.size() + 1)), split);
      ExpectClose(client, 1007);
    }
  }
}

TEST_F(WebSocketTextConformanceTest, BadTextFailsFastInsideAMessage) {
  for (const std::string& bad : Bad()) {
    SCOPED_TRACE(::testing::PrintToString(bad));
    WebSocketClient client = ConnectEcho();
    client.SendFrame(kText, kGreek, /*fin=*/false);
    client.SendFrame(kContinuation, bad + "z", /*fin=*/false);
    ExpectClose(client, 1007);
  }
}

TEST_F(WebSocketTextConformanceTest, BadTextFailsWithTheByteThatShowsIt) {
  // F4 may be the beginning of a character; F4 90 may not.
  WebSocketClient client = ConnectEcho();
  const std::string frame = WebSocketClient::MaskedFrame(kText, kGreek + "\xF4\x90\x80\x80 and on");
  const size_t wrong_at = 6 + kGreek.size() + 1;
  ASSERT_TRUE(client.SendRaw(frame.substr(0, wrong_at)));
  ASSERT_TRUE(client.StaysSilent(100ms));
  ASSERT_TRUE(client.SendRaw(frame.substr(wrong_at, 1)));
  ExpectClose(client, 1007);
}

}  // namespace
}  // namespace crier::testing
