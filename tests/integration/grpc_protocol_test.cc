// Calls as bytes: what gRPC's protocol asks of a server (gRPC's doc/PROTOCOL-HTTP2.md), request by
// request. The connection under them: grpc_connection_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/compressed.h"
#include "tests/support/grpc_protocol_fixture.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

void Replace(Http2Client::Fields* fields, const std::string& name, const std::string& value) {
  for (auto& field : *fields) {
    if (field.first == name) field.second = value;
  }
}

using GrpcCallTest = GrpcProtocolTest;

// --- What comes back.

TEST_F(GrpcCallTest, AUnaryCallByHand) {
  StartServer();
  Http2Client client(address());
  const Stream& stream = Publish(&client, Broadcast("hello", "news"));
  EXPECT_THAT(stream.head,
              UnorderedElementsAre(Pair(":status", "200"), Pair("content-type", "application/grpc"),
                                   Pair("grpc-accept-encoding", "identity,deflate,gzip")));
  EXPECT_THAT(stream.trailers, ElementsAre(Pair("grpc-status", "0")));
  const auto messages = MessagesIn(stream);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(stream.data, Framed(messages[0])) << "and nothing else";
  v1::PublishResponse response;
  ASSERT_TRUE(response.ParseFromString(messages[0]));
  EXPECT_EQ(response.topic(), "news");
  EXPECT_EQ(response.offset(), 1u);
  EXPECT_EQ(stream.reset, std::nullopt) << "the client has half-closed: nothing is cut off";
}

TEST_F(GrpcCallTest, AStatusWithoutAMessageIsAHeadOnly) {
  StartServer();
  Http2Client client(address());
  const Stream& stream = Call(&client, "/crier.v1.Messaging/Shout", "");
  EXPECT_THAT(stream.trailers, IsEmpty());
  EXPECT_EQ(stream.data_frames, 0u);
  EXPECT_EQ(stream.Find(":status"), "200");
  EXPECT_EQ(CodeOf(stream), 12);
  // The same again would end as it did.
  EXPECT_EQ(stream.Find("grpc-retry-pushback-ms"), "");
}

TEST_F(GrpcCallTest, AnUnknownMethodIsNamed) {
  StartServer();
  Http2Client client(address());
  for (const std::string path : {"/crier.v1.Messaging/Shout", "/nobody.Knows/This", "/"}) {
    const Stream& stream = Call(&client, path, "");
    EXPECT_EQ(CodeOf(stream), 12) << path;
    EXPECT_THAT(stream.Find("grpc-message"), HasSubstr("no method " + path));
  }
}

TEST_F(GrpcCallTest, AnOutcomeIsNamedInTheDetails) {
  StartServer();
  Http2Client client(address());
  const Stream& stream = Call(&client, kPublish, "\xFF");
  EXPECT_EQ(CodeOf(stream), 3);
  EXPECT_EQ(ReasonOf(stream), "INVALID_MESSAGE");
  EXPECT_EQ(stream.Find("grpc-status-details-bin").find('='), std::string::npos) << "no padding";
}

TEST_F(GrpcCallTest, CallsAreCountedByMethodAndStatus) {
  StartServer();
  Http2Client client(address());
  Publish(&client, Broadcast("hello"));
  Call(&client, kPublish, "\xFF");
  Call(&client, "/crier.v1.Messaging/Shout", "");
  client.Reset(OpenSession(&client));
  Eventually("all are counted", [&] { return handled(GrpcMethod::kConnect, 1) == 1; });
  EXPECT_EQ(handled(GrpcMethod::kPublish, 0), 1u);
  EXPECT_EQ(handled(GrpcMethod::kPublish, 3), 1u);
  EXPECT_EQ(handled(GrpcMethod::kUnknown, 12), 1u);
}

TEST_F(GrpcCallTest, AMessageForPeopleIsPercentEncoded) {
  StartServer();
  Http2Client client(address());
  const Stream& stream = Call(&client, "/caf\xC3\xA9%", "");
  EXPECT_THAT(stream.Find("grpc-message"), HasSubstr("/caf%C3%A9%25"));
}

TEST_F(GrpcCallTest, TheStatusIsFollowedByAResetWhereTheClientIsStillSending) {
  StartServer();
  Http2Client client(address());
  const int32_t refused = client.Start(HeadOf("/crier.v1.Messaging/Shout"));
  EXPECT_TRUE(client.Await([&] { return client.stream(refused).reset.has_value(); }));
  EXPECT_EQ(client.stream(refused).reset, uint32_t{NGHTTP2_NO_ERROR});
  EXPECT_TRUE(client.stream(refused).ended) << "the status comes first";
  EXPECT_EQ(CodeOf(client.stream(refused)), 12);
}

TEST_F(GrpcCallTest, AUnaryCallActsOnceItsRequestIsWhole) {
  StartServer();
  Http2Client client(address());
  const int32_t id = client.Start(HeadOf(kPublish));
  client.Send(id, Framed(RequestOf(Broadcast("hello"))));
  const Stream& other = Publish(&client, Broadcast("another"));
  v1::PublishResponse response;
  ASSERT_TRUE(response.ParseFromString(MessagesIn(other)[0]));
  EXPECT_EQ(response.offset(), 1u) << "a second request could still follow";
  client.HalfClose(id);
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0);
}

// --- What is no gRPC call.

TEST_F(GrpcCallTest, AnotherMethodThanPostIs405) {
  StartServer();
  Http2Client client(address());
  for (const char* method : {"GET", "PUT", "OPTIONS"}) {
    Fields head = HeadOf(kPublish);
    Replace(&head, ":method", method);
    const Stream& stream = client.AwaitEnd(client.Start(head, true));
    EXPECT_EQ(stream.Find(":status"), "405") << method;
    EXPECT_THAT(stream.Find("grpc-message"), AllOf(HasSubstr("gRPC"), HasSubstr("POST")));
  }
}

TEST_F(GrpcCallTest, AnotherContentTypeIs415) {
  StartServer();
  Http2Client client(address());
  for (const char* type : {"application/json", "application/grpc+json", "application/grpc+protobuf",
                           "application/grpc-web", "application/grpc-web+proto",
                           "application/grpcs", "text/html", ""}) {
    Fields head = HeadOf(kPublish);
    Replace(&head, "content-type", type);
    const Stream& stream = client.AwaitEnd(client.Start(head, true));
    EXPECT_EQ(stream.Find(":status"), "415") << type;
    EXPECT_THAT(stream.Find("grpc-message"), HasSubstr("application/grpc"));
  }
}

TEST_F(GrpcCallTest, TheContentTypeMayNameItsEncoding) {
  StartServer();
  Http2Client client(address());
  for (const char* type : {"application/grpc+proto", "application/grpc;charset=utf-8"}) {
    Fields head = HeadOf(kPublish);
    Replace(&head, "content-type", type);
    const int32_t id = client.Start(head);
    client.Send(id, Framed(RequestOf(Broadcast("hello"))), true);
    EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0) << type;
  }
}

// --- Compression.

TEST_F(GrpcCallTest, AnUnknownEncodingIsToldWhatIsAccepted) {
  StartServer();
  Http2Client client(address());
  const Stream& stream = Call(&client, kPublish, "", {{"grpc-encoding", "snappy"}});
  EXPECT_EQ(CodeOf(stream), 12);
  EXPECT_THAT(stream.Find("grpc-message"),
              AllOf(HasSubstr("snappy"), HasSubstr("identity,deflate,gzip")));
  EXPECT_EQ(stream.Find("grpc-accept-encoding"), "identity,deflate,gzip");
}

TEST_F(GrpcCallTest, ACompressedRequestIsUnderstood) {
  StartServer();
  Http2Client client(address());
  const std::string request =
      RequestOf(Broadcast(std::string(1000, 'x'), "news")).SerializeAsString();
  uint64_t offset = 0;
  for (const auto& [encoding, window] : std::vector<std::pair<std::string, int>>{
           {"gzip", kGzipWindow}, {"deflate", kDeflateWindow}}) {
    const std::string compressed = Framed(Compressed(request, window), 1);
    ASSERT_LT(compressed.size(), request.size());
    const int32_t id = client.Start(HeadOf(kPublish, {{"grpc-encoding", encoding}}));
    client.Send(id, compressed, true);
    const Stream& stream = client.AwaitEnd(id);
    EXPECT_EQ(CodeOf(stream), 0) << encoding << ": " << stream.Find("grpc-message");
    v1::PublishResponse response;
    ASSERT_TRUE(response.ParseFromString(AwaitMessages(&client, id, 1)[0]));
    EXPECT_EQ(response.offset(), ++offset);
  }
}

TEST_F(GrpcCallTest, CompressedWithoutSayingSoEndsTheCall) {
  StartServer();
  Http2Client client(address());
  const int32_t id = client.Start(HeadOf(kPublish));
  client.Send(id, Framed(Compressed("hello", kGzipWindow), 1), true);
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 13);
}

// --- Deadlines.

TEST_F(GrpcCallTest, ATimeoutThatIsNoneIsRefused) {
  StartServer();
  Http2Client client(address());
  for (const char* timeout : {"S", "1", "123456789S", "1x", "-1S", "+1S", "1.5S", "0x1S", "1SS"}) {
    const Stream& stream = Call(&client, kPublish, "", {{"grpc-timeout", timeout}});
    EXPECT_EQ(CodeOf(stream), 13) << timeout;
    EXPECT_THAT(stream.Find("grpc-message"), HasSubstr("grpc-timeout"));
  }
}

TEST_F(GrpcCallTest, EveryUnitOfATimeoutIsUnderstood) {
  StartServer();
  Http2Client client(address());
  const std::string request = RequestOf(Broadcast("hello")).SerializeAsString();
  for (const char* timeout : {"99999999H", "99999999M", "99999999S", "99999999m", "99999999u"}) {
    EXPECT_EQ(CodeOf(Call(&client, kPublish, request, {{"grpc-timeout", timeout}})), 0) << timeout;
  }
  // A tenth of a second: too soon for a session, which has no end of its own.
  for (const char* timeout : {"99999999n", "100000u", "100m", "0S", "0H"}) {
    const int32_t id = client.Start(HeadOf(kConnect, {{"grpc-timeout", timeout}}));
    EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 4) << timeout;
  }
}

TEST_F(GrpcCallTest, ADeadlineEndsTheCallAndItsSession) {
  StartServer();
  Http2Client client(address());
  const int32_t lasting = OpenSession(&client);
  const int32_t ending = OpenSession(&client, {{"grpc-timeout", "300m"}});
  EXPECT_EQ(sessions(), 2);
  const Stream& stream = client.AwaitEnd(ending);
  EXPECT_EQ(CodeOf(stream), 4);
  EXPECT_THAT(stream.Find("grpc-message"), HasSubstr("deadline"));
  Eventually("one session is left", [&] { return sessions() == 1; });
  EXPECT_EQ(ended(Outcome::kOk), 1u);
  EXPECT_FALSE(client.stream(lasting).ended);
}

// --- Messages and DATA frames.

TEST_F(GrpcCallTest, AMessageCutIntoFramesOfOneByte) {
  StartServer();
  Http2Client client(address());
  const int32_t id = client.Start(HeadOf(kPublish));
  for (const char byte : Framed(RequestOf(Broadcast("byte by byte", "news")))) {
    client.Send(id, std::string_view(&byte, 1));
  }
  client.HalfClose(id);
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0);
}

TEST_F(GrpcCallTest, SeveralMessagesInOneFrame) {
  StartServer();
  Http2Client client(address());
  const int32_t id = OpenSession(&client);
  std::string frames;
  for (const char* name : {"one", "two", "three"}) frames += Framed(Ping(name));
  const std::string part = Framed(Ping("four"));
  client.Send(id, frames + part.substr(0, 6));
  client.Send(id, part.substr(6));
  const auto events = AwaitEvents(&client, id, 5);
  EXPECT_EQ(events[1].pong().id(), "one");
  EXPECT_EQ(events[2].pong().id(), "two");
  EXPECT_EQ(events[3].pong().id(), "three");
  EXPECT_EQ(events[4].pong().id(), "four");
}

TEST_F(GrpcCallTest, AMessageLargerThanAFrameAndAWindow) {
  grpc_options_.max_receive_bytes = 1 << 20;
  engine_options_.max_body_bytes = 600'000;
  StartServer();
  Http2Client client(address());
  const int32_t id = client.Start(HeadOf(kPublish));
  client.Send(id, Framed(RequestOf(Broadcast(std::string(500'000, 'x')))), true);
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0);
}

TEST_F(GrpcCallTest, AMessageOverTheLimitEndsTheCallOnly) {
  StartServer();
  Http2Client client(address());
  const int32_t other = OpenSession(&client);
  const int32_t id = OpenSession(&client);
  std::string prefix;
  AppendMessagePrefix(grpc_options_.max_receive_bytes + 1, &prefix);
  client.Send(id, prefix);
  const Stream& stream = client.AwaitEnd(id);
  EXPECT_EQ(CodeOf(stream), 8);
  EXPECT_THAT(stream.Find("grpc-message"),
              HasSubstr(std::to_string(grpc_options_.max_receive_bytes)));
  Eventually("one session is left", [&] { return sessions() == 1; });
  EXPECT_EQ(ended(Outcome::kMessageTooBig), 1u);
  client.Send(other, Framed(Ping("still here")));
  EXPECT_EQ(AwaitEvents(&client, other, 2)[1].pong().id(), "still here");
}

TEST_F(GrpcCallTest, AMessageThatIsNoneEndsTheCall) {
  StartServer();
  Http2Client client(address());
  const int32_t id = OpenSession(&client);
  client.Send(id, std::string("\2\0\0\0\0", 5));
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 13);
  Eventually("the session is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kProtocolError), 1u);
}

// --- Half-closing, and how many requests there are.

TEST_F(GrpcCallTest, AHalfClosedConnectKeepsReceiving) {
  StartServer();
  Http2Client client(address());
  const int32_t id = OpenSessionOn(&client, "news");
  client.HalfClose(id);
  Publish(&client, Broadcast("extra", "news"));
  EXPECT_EQ(AwaitEvents(&client, id, 3)[2].message().body(), "extra");
  EXPECT_FALSE(client.stream(id).ended);
  EXPECT_EQ(sessions(), 1);
}

TEST_F(GrpcCallTest, AConnectThatEndsInsideAMessageIsTold) {
  StartServer();
  Http2Client client(address());
  const int32_t id = OpenSession(&client);
  client.Send(id, Framed(Ping("cut")).substr(0, 6), true);
  const Stream& stream = client.AwaitEnd(id);
  EXPECT_EQ(CodeOf(stream), 13);
  EXPECT_THAT(stream.Find("grpc-message"), HasSubstr("cut off"));
  Eventually("its session is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kProtocolError), 1u);
}

TEST_F(GrpcCallTest, AConnectThatSendsNothingAtAllReceives) {
  StartServer();
  Http2Client client(address());
  const int32_t id = client.Start(HeadOf(kConnect), true);
  EXPECT_TRUE(AwaitEvents(&client, id, 1)[0].has_welcome());
}

TEST_F(GrpcCallTest, TrailersOfTheClientAreAHalfClose) {
  StartServer();
  Http2Client client(address());
  const int32_t id = client.Start(HeadOf(kPublish));
  client.Send(id, Framed(RequestOf(Broadcast("hello"))));
  client.SendTrailers(id, {{"x-checksum", "1234"}});
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0);

  const int32_t empty = client.Start(HeadOf(kPublish));
  client.SendTrailers(empty, {{"x-checksum", "0"}});
  EXPECT_EQ(CodeOf(client.AwaitEnd(empty)), 12);
}

TEST_F(GrpcCallTest, ASecondRequestIsRefused) {
  StartServer();
  Http2Client client(address());
  const std::string publish = Framed(RequestOf(Broadcast("hello")));
  for (const auto& [path, request] : std::vector<std::pair<std::string_view, std::string>>{
           {kPublish, publish}, {kHistory, Framed("")}, {kSubscribe, Framed("")}}) {
    const int32_t id = client.Start(HeadOf(path));
    // In one frame, so that the second is there before the first is answered.
    client.Send(id, request + request, true);
    const Stream& stream = client.AwaitEnd(id);
    EXPECT_EQ(CodeOf(stream), 12) << path;
    EXPECT_THAT(stream.Find("grpc-message"), HasSubstr("second request"));
  }
  Eventually("the session of Subscribe is gone", [&] { return sessions() == 0; });
}

TEST_F(GrpcCallTest, ACallWithoutItsRequestIsRefused) {
  StartServer();
  Http2Client client(address());
  for (const std::string_view path :
       {kPublish, kHistory, kSubscribe, std::string_view("/grpc.health.v1.Health/Check"),
        std::string_view("/grpc.health.v1.Health/Watch")}) {
    SCOPED_TRACE(path);
    // With the head, and behind it.
    const int32_t at_once = client.Start(HeadOf(path), true);
    EXPECT_EQ(CodeOf(client.AwaitEnd(at_once)), 12);
    const int32_t later = client.Start(HeadOf(path));
    client.HalfClose(later);
    EXPECT_EQ(CodeOf(client.AwaitEnd(later)), 12);
    EXPECT_THAT(client.stream(later).Find("grpc-message"), HasSubstr("without a request"));
  }
}

TEST_F(GrpcCallTest, ARequestThatStopsHalfwayIsNone) {
  StartServer();
  Http2Client client(address());
  const std::string request = Framed(RequestOf(Broadcast("hello")));
  for (size_t cut = 1; cut < request.size(); cut += 3) {
    const int32_t id = client.Start(HeadOf(kPublish));
    client.Send(id, request.substr(0, cut), true);
    EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 13) << cut;
  }
}

// --- How a session ends.

TEST_F(GrpcCallTest, WhoCancelsHasLeft) {
  StartServer();
  Http2Client client(address());
  const int32_t id = OpenSession(&client);
  client.Reset(id, NGHTTP2_CANCEL);
  Eventually("the session is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kOk), 1u);
}

TEST_F(GrpcCallTest, WhoResetsForAnotherReasonHasNot) {
  StartServer();
  Http2Client client(address());
  const int32_t id = OpenSession(&client);
  client.Reset(id, NGHTTP2_INTERNAL_ERROR);
  Eventually("the session is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kProtocolError), 1u);
}

TEST_F(GrpcCallTest, WhoseConnectionBreaksIsLost) {
  StartServer();
  Http2Client client(address());
  OpenSession(&client);
  OpenSession(&client);
  client.Drop();
  Eventually("the sessions are gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kConnectionLost), 2u);
}

TEST_F(GrpcCallTest, ACallThatIsCancelledBeforeItsAnswerDisturbsNobody) {
  StartServer();
  Http2Client client(address());
  for (int i = 0; i < 200; ++i) {
    const int32_t id = client.Start(HeadOf(i % 2 == 0 ? kPublish : kHistory));
    client.Send(id, Framed(i % 2 == 0 ? RequestOf(Broadcast("hello")).SerializeAsString() : ""));
    client.Reset(id);
  }
  Publish(&client, Broadcast("still here"));
}

}  // namespace
}  // namespace crier::testing
