#include <gtest/gtest.h>

#include <string>

#include "client/bench/proto_scanner.h"
#include "client/bench/text_scanner.h"
#include "client/websocket_frame.h"

namespace crier::bench {
namespace {

constexpr char kBroadcast[] =
    R"({"user_id":"7","action_type":"broadcast","body":"1713910000000123456xx","data":"crier/0.1.0",)"
    R"("offset":42,"epoch":18446744073709551615})";

void ExpectSame(const Delivery& a, const Delivery& b, const std::string& text) {
  EXPECT_EQ(a.kind, b.kind) << text;
  EXPECT_EQ(a.offset, b.offset) << text;
  EXPECT_EQ(a.epoch, b.epoch) << text;
  EXPECT_EQ(a.stamp, b.stamp) << text;
  EXPECT_EQ(a.topic, b.topic) << text;
}

TEST(TextScannerTest, ReadsABroadcastByTheTemplate) {
  Delivery delivery;
  ASSERT_TRUE(TextScanner::ScanTemplate(kBroadcast, &delivery));
  EXPECT_EQ(delivery.kind, DeliveryKind::kBroadcast);
  EXPECT_EQ(delivery.offset, 42u);
  EXPECT_EQ(delivery.epoch, UINT64_MAX);
  EXPECT_EQ(delivery.stamp, 1713910000000123456);
  EXPECT_EQ(delivery.topic, "");
}

TEST(TextScannerTest, TheTemplateAndTheParserAgree) {
  const std::string messages[] = {
      kBroadcast,
      R"({"user_id":null,"action_type":"broadcast","body":"12","data":"x","topic":"t","offset":1,"epoch":2})",
      R"({"user_id":"7","action_type":"broadcast","body":"12","data":"x","topic":"t","offset":1,"epoch":2,"id":"a"})",
      R"({"user_id":"7","action_type":"direct","body":"1713910000000","data":"1713910000123456789"})",
      R"({"user_id":"7","action_type":"direct","body":"","data":null})",
      R"({"user_id":"7","action_type":"broadcast","body":"a\\b","data":"x","offset":1,"epoch":2})",
  };
  for (const std::string& text : messages) {
    Delivery scanned;
    Delivery parsed;
    TextScanner scanner;
    ASSERT_TRUE(TextScanner::ScanTemplate(text, &scanned)) << text;
    ASSERT_TRUE(scanner.Parse(text, &parsed)) << text;
    ExpectSame(scanned, parsed, text);
  }
}

TEST(TextScannerTest, WhatTheTemplateCannotReadGoesToTheParser) {
  const std::string messages[] = {
      // An escaped quote, which ends no string.
      R"({"user_id":"7","action_type":"broadcast","body":"5 \"","data":"x","offset":1,"epoch":2})",
      R"({"user_id":"\"","action_type":"broadcast","body":"5","data":"x","offset":1,"epoch":2})",
      R"({"user_id":"7","action_type":"broadcast","body":"5","data":"x","topic":"\\","offset":1,"epoch":2})",
      R"({"user_id":"7","action_type":"broadcast","body":"5","data":"x","topic":"\u0041b","offset":1,"epoch":2})",
      // White space, and another order.
      R"({ "user_id": "7", "action_type": "broadcast", "body": "5", "data": "x", "offset": 1})",
      R"({"action_type":"broadcast","user_id":"7","body":"5","data":"x","offset":1})",
  };
  TextScanner scanner;
  for (const std::string& text : messages) {
    Delivery delivery;
    EXPECT_FALSE(TextScanner::ScanTemplate(text, &delivery)) << text;
    ASSERT_TRUE(scanner.Scan(text, &delivery)) << text;
    EXPECT_EQ(delivery.kind, DeliveryKind::kBroadcast);
    EXPECT_EQ(delivery.stamp, 5);
    EXPECT_EQ(delivery.offset, 1u);
  }
  EXPECT_EQ(scanner.parsed(), 6u);
}

TEST(TextScannerTest, ReadsGapsOfTopicsAndOfTheMailbox) {
  TextScanner scanner;
  Delivery delivery;
  ASSERT_TRUE(scanner.Scan(
      R"({"user_id":null,"action_type":"gap","body":"5-90","data":"SLOW_CONSUMER","topic":"","epoch":3})",
      &delivery));
  EXPECT_EQ(delivery.kind, DeliveryKind::kGap);
  EXPECT_FALSE(delivery.mailbox);
  EXPECT_EQ(delivery.first, 5u);
  EXPECT_EQ(delivery.last, 90u);
  EXPECT_EQ(delivery.epoch, 3u);
  ASSERT_TRUE(scanner.Scan(
      R"({"user_id":null,"action_type":"gap","body":"1-2","data":"SLOW_CONSUMER"})", &delivery));
  EXPECT_TRUE(delivery.mailbox);
}

TEST(TextScannerTest, ReadsErrors) {
  TextScanner scanner;
  Delivery delivery;
  ASSERT_TRUE(scanner.Scan(
      R"({"user_id":"7","action_type":"error","body":"too fast","data":"RATE_LIMITED"})",
      &delivery));
  EXPECT_EQ(delivery.kind, DeliveryKind::kError);
  EXPECT_EQ(delivery.outcome, "RATE_LIMITED");
  EXPECT_EQ(delivery.text, "too fast");
}

TEST(TextScannerTest, RefusesWhatIsNoMessage) {
  TextScanner scanner;
  Delivery delivery;
  for (const char* text : {"", "{", "[]", "7", "{}", R"({"action_type":"shout"})",
                           R"({"user_id":null,"action_type":"gap","body":"x","data":null})"}) {
    EXPECT_FALSE(scanner.Scan(text, &delivery)) << text;
  }
}

TEST(TextScannerTest, NoPrefixOfAMessageIsOne) {
  const std::string text = kBroadcast;
  TextScanner scanner;
  Delivery delivery;
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(scanner.Scan(text.substr(0, size), &delivery)) << size;
  }
}

v1::ServerFrame Frame() {
  v1::ServerFrame frame;
  frame.add_events()->mutable_welcome()->set_server("crier");
  v1::Message* message = frame.add_events()->mutable_message();
  message->set_user_id("7");
  message->set_action_type(v1::BROADCAST);
  message->set_topic("t");
  message->set_body("1713910000000123456x");
  message->set_data("d");
  message->set_offset(300);
  message->set_epoch(UINT64_MAX);
  message->set_received_at(5);
  v1::Gap* gap = frame.add_events()->mutable_gap();
  gap->set_first(3);
  gap->set_last(9);
  gap->set_epoch(4);
  return frame;
}

TEST(ProtoScannerTest, WalksTheEventsOfAFrame) {
  const std::string bytes = Frame().SerializeAsString();
  ProtoScanner scanner;
  scanner.Start(bytes);
  Delivery delivery;
  ASSERT_EQ(scanner.Next(&delivery), ProtoScanner::Result::kEvent);
  EXPECT_EQ(delivery.kind, DeliveryKind::kOther);
  ASSERT_EQ(scanner.Next(&delivery), ProtoScanner::Result::kEvent);
  ExpectSame(delivery, ToDelivery(Frame().events(1)), "message");
  EXPECT_EQ(delivery.offset, 300u);
  ASSERT_EQ(scanner.Next(&delivery), ProtoScanner::Result::kEvent);
  EXPECT_EQ(delivery.kind, DeliveryKind::kGap);
  EXPECT_EQ(delivery.first, 3u);
  EXPECT_EQ(delivery.last, 9u);
  EXPECT_EQ(scanner.Next(&delivery), ProtoScanner::Result::kEnd);
}

TEST(ProtoScannerTest, ACutFrameIsInvalid) {
  const std::string bytes = Frame().SerializeAsString();
  ProtoScanner scanner;
  Delivery delivery;
  scanner.Start(std::string_view(bytes).substr(0, bytes.size() - 1));
  EXPECT_EQ(scanner.Next(&delivery), ProtoScanner::Result::kEvent);
  EXPECT_EQ(scanner.Next(&delivery), ProtoScanner::Result::kEvent);
  EXPECT_EQ(scanner.Next(&delivery), ProtoScanner::Result::kInvalid);
}

using client::FrameHeader;
using client::HeaderResult;
using client::Opcode;

TEST(WebSocketFrameTest, ReadsTheThreeFormsOfALength) {
  FrameHeader header;
  const std::string small("\x81\x05hello", 7);
  ASSERT_EQ(client::ReadServerFrameHeader(small.data(), small.size(), &header), HeaderResult::kOk);
  EXPECT_TRUE(header.final);
  EXPECT_EQ(header.opcode, Opcode::kText);
  EXPECT_EQ(header.header_size, 2u);
  EXPECT_EQ(header.payload_size, 5u);
  const std::string medium("\x82\x7E\x01\x02", 4);
  ASSERT_EQ(client::ReadServerFrameHeader(medium.data(), 4, &header), HeaderResult::kOk);
  EXPECT_EQ(header.payload_size, 258u);
  const std::string large("\x82\x7F\0\0\0\0\0\1\0\0", 10);
  ASSERT_EQ(client::ReadServerFrameHeader(large.data(), 10, &header), HeaderResult::kOk);
  EXPECT_EQ(header.payload_size, 65536u);
  for (size_t size = 0; size < 10; ++size) {
    EXPECT_EQ(client::ReadServerFrameHeader(large.data(), size, &header),
              HeaderResult::kIncomplete);
  }
}

TEST(WebSocketFrameTest, RefusesWhatAServerMustNotSend) {
  FrameHeader header;
  const std::string frames[] = {
      std::string("\xC1\x00", 2),          // A reserved bit.
      std::string("\x83\x00", 2),          // A reserved opcode.
      std::string("\x81\x80\0\0\0\0", 6),  // Masked.
      std::string("\x09\x00", 2),          // A ping in fragments.
      std::string("\x89\x7E\x00\x7E", 4),  // A long ping.
  };
  for (const std::string& frame : frames) {
    EXPECT_EQ(client::ReadServerFrameHeader(frame.data(), frame.size(), &header),
              HeaderResult::kInvalid);
  }
}

TEST(WebSocketFrameTest, MasksWhatAClientSends) {
  for (const size_t size : {0u, 1u, 7u, 8u, 125u, 126u, 65535u, 65536u}) {
    const std::string payload(size, 'a');
    std::string frame;
    client::AppendClientFrame(Opcode::kText, payload, 0x11223344, &frame);
    const size_t header = size < 126 ? 6 : size < 65536 ? 8 : 14;
    ASSERT_EQ(frame.size(), header + size);
    EXPECT_NE(static_cast<unsigned char>(frame[1]) & 0x80, 0);
    const std::string mask = frame.substr(header - 4, 4);
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(frame[header + i] ^ mask[i % 4], 'a');
  }
}

TEST(WebSocketFrameTest, ChecksTheUpgrade) {
  // The example of RFC 6455, section 1.3.
  const std::string accept = client::AcceptKey("dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_EQ(client::ReadUpgradeAnswer(
                "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: " + accept, accept)
                .problem,
            "");
  EXPECT_NE(client::ReadUpgradeAnswer("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: no", accept).problem,
            "");
  EXPECT_EQ(client::ReadUpgradeAnswer("HTTP/1.1 403 Forbidden\r\n", accept).problem,
            "the upgrade was answered with \"403 Forbidden\"");
}

TEST(WebSocketFrameTest, ReadsCloseCodes) {
  EXPECT_EQ(client::CloseCode(""), 1005);
  EXPECT_EQ(client::CloseCode("\x03\xE9"), 1001);
}

}  // namespace
}  // namespace crier::bench
