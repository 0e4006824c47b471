#include "server/websocket/close_payload.h"

#include <gtest/gtest.h>

#include <string>

namespace crier {
namespace {

std::string Payload(unsigned code, const std::string& reason = {}) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)} + reason;
}

TEST(ClosePayloadTest, EachOfTheCodesThatThereCanBe) {
  const auto for_the_wire = [](unsigned code) {
    // RFC 6455, section 7.4, and IANA's registry of close codes.
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
  };
  for (unsigned code = 0; code <= 0xFFFF; ++code) {
    ASSERT_EQ(CheckClosePayload(Payload(code)) == ClosePayload::kValid, for_the_wire(code)) << code;
  }
}

TEST(ClosePayloadTest, WhatElseCanBeWrong) {
  EXPECT_EQ(CheckClosePayload(""), ClosePayload::kValid);
  EXPECT_EQ(CheckClosePayload("\x03"), ClosePayload::kBadLength);
  EXPECT_EQ(CheckClosePayload(Payload(1000, "gr\xC3\xBC\xC3\x9F")), ClosePayload::kValid);
  EXPECT_EQ(CheckClosePayload(Payload(1000, "\xFF")), ClosePayload::kBadReason);
  EXPECT_EQ(CheckClosePayload(Payload(1000, "cut \xC3")), ClosePayload::kBadReason);
  EXPECT_EQ(CheckClosePayload(Payload(999, "\xFF")), ClosePayload::kBadCode);
}

TEST(ClosePayloadTest, AReasonIsCutToWhatFitsAtACharacter) {
  EXPECT_EQ(MakeClosePayload(1001, "bye"), Payload(1001, "bye"));
  EXPECT_EQ(MakeClosePayload(1001, std::string(200, 'r')).size(), 125u);
  const std::string cut = MakeClosePayload(1001, std::string(122, 'r') + "\xC3\xBC");
  EXPECT_EQ(cut, Payload(1001, std::string(122, 'r')));
}

}  // namespace
}  // namespace crier
