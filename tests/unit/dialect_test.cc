// The dialects of a WebSocket: which one an upgrade gets, and their events as frames.
#include "server/websocket/dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace crier {
namespace {

namespace http = boost::beast::http;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// --- Which one.

const Dialect& Offered(const std::vector<std::string>& headers) {
  HttpRequest request;
  for (const std::string& header : headers) {
    request.insert(http::field::sec_websocket_protocol, header);
  }
  return ChooseDialect(request);
}

TEST(ChooseDialectTest, NoneOfferedIsPlain) {
  EXPECT_EQ(&Offered({}), &PlainDialect());
  EXPECT_EQ(&Offered({""}), &PlainDialect());
}

TEST(ChooseDialectTest, NoneKnownIsPlain) {
  EXPECT_EQ(&Offered({"chat.v9, superchat"}), &PlainDialect());
  EXPECT_EQ(&Offered({"crier.v2.json"}), &PlainDialect());
  EXPECT_EQ(&Offered({"CRIER.V1.JSON"}), &PlainDialect()) << "a browser compares letter by letter";
  EXPECT_EQ(&Offered({",,, ,"}), &PlainDialect());
}

TEST(ChooseDialectTest, TheClientsFirstThatIsKnown) {
  EXPECT_EQ(Offered({"crier.v1.json"}).subprotocol, "crier.v1.json");
  EXPECT_EQ(Offered({"crier.v1.proto"}).subprotocol, "crier.v1.proto");
  EXPECT_EQ(Offered({"crier.v1.proto, crier.v1.json"}).subprotocol, "crier.v1.proto");
  EXPECT_EQ(Offered({"crier.v1.json,crier.v1.proto"}).subprotocol, "crier.v1.json");
  EXPECT_EQ(Offered({"crier.v9.json , crier.v1.json"}).subprotocol, "crier.v1.json");
}

TEST(ChooseDialectTest, SeveralHeadersAreOneList) {
  EXPECT_EQ(Offered({"other", "crier.v1.proto", "crier.v1.json"}).subprotocol, "crier.v1.proto");
}

// --- Events as frames.

v1::Event Broadcast(const std::string& body) {
  v1::Event event;
  event.mutable_message()->set_action_type(v1::BROADCAST);
  event.mutable_message()->set_body(body);
  return event;
}

v1::Event Welcome() {
  v1::Event event;
  event.mutable_welcome()->set_session_id("1");
  return event;
}

std::string Encoded(const Encoding& encoding, const v1::Event& event) {
  std::string out;
  encoding.Append(event, &out);
  return out;
}

uint8_t FirstByte(const std::string& frame) { return static_cast<uint8_t>(frame.at(0)); }

// By its subprotocol.
class DialectTest : public ::testing::TestWithParam<std::string> {
 protected:
  const Dialect& dialect() const {
    return GetParam().empty() ? PlainDialect() : Offered({GetParam()});
  }
};

TEST_P(DialectTest, EventsEndToEndAreFramesEndToEnd) {
  const std::vector<v1::Event> events = {Broadcast("1"), Broadcast(std::string(300, '2')),
                                         Broadcast(std::string(70'000, '3'))};
  for (const Encoding* encoding : {dialect().encoding, dialect().deflated}) {
    std::string end_to_end, each;
    for (const v1::Event& event : events) {
      encoding->Append(event, &end_to_end);
      each += Encoded(*encoding, event);
    }
    EXPECT_TRUE(end_to_end == each);
  }
}

TEST_P(DialectTest, DeflatingIsUsedOnlyWhereItHelps) {
  const v1::Event even = Broadcast(std::string(1000, 'a'));
  const std::string deflated = Encoded(*dialect().deflated, even);
  EXPECT_LT(deflated.size(), Encoded(*dialect().encoding, even).size() / 4);
  EXPECT_EQ(FirstByte(deflated), dialect().binary ? 0xC2 : 0xC1);

  // Bytes that look random stay as they are.
  std::string noise;
  uint32_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    state = state * 1664525 + 1013904223;
    noise += static_cast<char>('!' + (state >> 24) % 90);
  }
  EXPECT_LE(Encoded(*dialect().deflated, Broadcast(noise)).size(),
            Encoded(*dialect().encoding, Broadcast(noise)).size());
}

TEST_P(DialectTest, TheOtherKindOfMessageIsUnsupported) {
  v1::ClientFrame frame;
  const auto error = dialect().Decode("{}", !dialect().binary, &frame);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->outcome, Outcome::kUnsupportedData);
  EXPECT_THAT(error->message, HasSubstr(dialect().binary ? "binary message" : "text message"));
  EXPECT_THAT(error->message, HasSubstr(dialect().subprotocol));
}

TEST_P(DialectTest, AnEventThatIsNotSetLeavesNothing) {
  if (dialect().binary) return;  // the canonical encoding of one is an empty event
  std::string out = "before";
  dialect().encoding->Append(v1::Event(), &out);
  dialect().deflated->Append(v1::Event(), &out);
  EXPECT_EQ(out, "before");
}

std::vector<std::string> AllSubprotocols() {
  std::vector<std::string> all;
  for (const Dialect& dialect : AllDialects()) all.emplace_back(dialect.subprotocol);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, DialectTest, ::testing::ValuesIn(AllSubprotocols()),
                         [](const ::testing::TestParamInfo<std::string>& name) {
                           return name.param.empty() ? "plain"
                                                     : name.param.substr(name.param.rfind('.') + 1);
                         });

TEST(PlainDialectTest, HasNoGreeting) {
  EXPECT_EQ(Encoded(*PlainDialect().encoding, Welcome()), "");
  EXPECT_EQ(Encoded(*PlainDialect().deflated, Welcome()), "");
  EXPECT_THAT(Encoded(*PlainDialect().encoding, Broadcast("1")).substr(2),
              StartsWith(R"({"user_id":null,"action_type":"broadcast","body":"1")"));
}

TEST(ModelDialectsTest, AFrameHoldsAServerFrameOfOneEvent) {
  const std::string json = Encoded(*Offered({"crier.v1.json"}).encoding, Welcome());
  EXPECT_EQ(FirstByte(json), 0x81);
  EXPECT_EQ(json.substr(2), R"({"events":[{"welcome":{"sessionId":"1"}}]})");

  const std::string proto = Encoded(*Offered({"crier.v1.proto"}).encoding, Welcome());
  EXPECT_EQ(FirstByte(proto), 0x82);
  v1::ServerFrame frame;
  *frame.add_events() = Welcome();
  EXPECT_EQ(proto.substr(2), frame.SerializeAsString());
}

}  // namespace
}  // namespace crier
