// crier.v1.Admin's unary calls of the real program, over gRPC and over HTTP on one port.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crier/v1/admin.pb.h"
#include "tests/integration/admin_fixture.h"
#include "tests/support/loopback.h"
#include "tests/support/tokens.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

INSTANTIATE_TEST_SUITE_P(Surfaces, AdminTest, ::testing::Values(Surface::kGrpc, Surface::kHttp),
                         [](const auto& of) {
                           return of.param == Surface::kGrpc ? "Grpc" : "Http";
                         });

TEST_P(AdminTest, ServerInfoSaysWhatIsInForce) {
  CrierdProcess crierd({"--max_topics=1234", "--shards=2"});
  ASSERT_TRUE(crierd.ready());
  v1::ServerInfo info;
  ASSERT_EQ(Call(crierd, "GetServerInfo", v1::GetServerInfoRequest(), &info).code, "ok");
  EXPECT_EQ(info.version(), CRIER_VERSION);
  EXPECT_EQ(info.shards(), 2u);
  EXPECT_EQ(info.http_listen(), crierd.http());
  EXPECT_EQ(info.grpc_listen(), crierd.grpc());
  EXPECT_EQ(info.admin_listen(), crierd.admin());
  EXPECT_EQ(info.flags().at("max_topics"), "1234");
  EXPECT_EQ(info.flags().at("drain_time"), "10s");
  EXPECT_EQ(info.limits().max_topics(), 1234u);
  EXPECT_GT(info.limits().max_connections(), 0u);
  EXPECT_FALSE(info.draining());
}

TEST_P(AdminTest, WithKeysItTakesTheClaim) {
  std::vector<std::string> flags = WithKeys();
  // What clients without a token may do says nothing about administrators.
  flags.emplace_back("--anonymous=admin");
  CrierdProcess crierd(flags);
  ASSERT_TRUE(crierd.ready());
  const v1::GetServerInfoRequest request;
  v1::ServerInfo info;
  EXPECT_EQ(Call(crierd, "GetServerInfo", request, &info).code, "unauthenticated");
  EXPECT_EQ(Call(crierd, "GetServerInfo", request, &info, "no.such.token").code, "unauthenticated");
  const Result denied =
      Call(crierd, "GetServerInfo", request, &info, TokenFor("bob", R"("crier.direct":true)"));
  EXPECT_EQ(denied.code, "permission_denied");
  EXPECT_THAT(denied.message, HasSubstr("crier.admin"));
  const std::string admin = TokenFor("ann", R"("crier.admin":true)");
  EXPECT_EQ(Call(crierd, "GetServerInfo", request, &info, admin).code, "ok");

  // The log says who did something.
  v1::SetLogLevelRequest level;
  level.set_level("warning");
  v1::SetLogLevelResponse before;
  EXPECT_EQ(Call(crierd, "SetLogLevel", level, &before, admin).code, "ok");
  EXPECT_EQ(before.previous(), "info");
  EXPECT_TRUE(LogHas(&crierd, "admin: SetLogLevel by \"ann\" from 127.0.0.1: info to warning"));
}

TEST_P(AdminTest, AWrongLevelIsRefused) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  v1::SetLogLevelRequest request;
  request.set_level("loud");
  v1::SetLogLevelResponse response;
  EXPECT_EQ(Call(crierd, "SetLogLevel", request, &response).code, "invalid_argument");
}

TEST_P(AdminTest, SessionsAreListedPageByPage) {
  constexpr size_t kSessions = 25;
  CrierdProcess crierd({"--shards=2"});
  ASSERT_TRUE(crierd.ready());
  std::vector<WebSocketClient> clients;
  for (size_t i = 0; i < kSessions; ++i) {
    clients.push_back(Connect(crierd, i % 5 == 0 ? "ann" : "bob"));
  }
  GrpcClient grpc(crierd.grpc());
  GrpcStream stream(grpc.channel(), "/crier.v1.Messaging/Connect", {{"crier-user-id", "ann"}});
  v1::ClientFrame frame;
  frame.mutable_subscribe()->set_topic("news");
  frame.mutable_subscribe()->set_id("1");
  stream.Send(frame);
  stream.NextAck();

  int pages = 0;
  const auto all = ListAll(crierd, {}, 10, &pages);
  EXPECT_EQ(all.size(), kSessions + 1);
  EXPECT_GE(pages, 3);
  for (const v1::SessionInfo& session : all) {
    EXPECT_EQ(session.address(), "127.0.0.1");
    EXPECT_GT(session.opened_at().seconds(), 1'700'000'000);
  }

  v1::SessionFilter filter;
  filter.set_user_id("ann");
  EXPECT_EQ(ListAll(crierd, filter, 2).size(), kSessions / 5 + 1);
  filter.set_transport(v1::WEBSOCKET);
  EXPECT_EQ(ListAll(crierd, filter, 10).size(), kSessions / 5);
  filter.set_transport(v1::GRPC);
  EXPECT_EQ(ListAll(crierd, filter, 10).size(), 1u);
  filter.Clear();
  filter.set_topic("news");
  const auto followers = ListAll(crierd, filter, 10);
  ASSERT_EQ(followers.size(), 1u);
  filter.Clear();
  filter.set_address("192.0.2.1");
  EXPECT_THAT(ListAll(crierd, filter, 10), IsEmpty());
  filter.Clear();
  filter.set_lagging(true);
  EXPECT_THAT(ListAll(crierd, filter, 10), IsEmpty());

  v1::GetSessionRequest one;
  one.set_session_id(followers[0].session_id());
  v1::SessionDetails details;
  ASSERT_EQ(Call(crierd, "GetSession", one, &details).code, "ok");
  EXPECT_EQ(details.session().user_id(), "ann");
  ASSERT_EQ(details.topics_size(), 2);
  EXPECT_EQ(details.topics(0).topic(), "");
  EXPECT_EQ(details.topics(1).topic(), "news");
  one.set_session_id("999999");
  EXPECT_EQ(Call(crierd, "GetSession", one, &details).code, "not_found");

  v1::ListSessionsRequest wrong;
  wrong.set_page_token("x");
  v1::ListSessionsResponse response;
  EXPECT_EQ(Call(crierd, "ListSessions", wrong, &response).code, "invalid_argument");
}

TEST_P(AdminTest, AUserIsDisconnectedOnBothTransports) {
  CrierdProcess crierd({"--shards=2"});
  ASSERT_TRUE(crierd.ready());
  WebSocketClient ann = Connect(crierd, "ann");
  WebSocketClient bob = Connect(crierd, "bob");
  GrpcClient grpc(crierd.grpc());
  GrpcStream stream(grpc.channel(), "/crier.v1.Messaging/Connect", {{"crier-user-id", "ann"}});
  stream.NextWelcome();

  v1::DisconnectRequest request;
  v1::DisconnectResponse response;
  EXPECT_EQ(Call(crierd, "Disconnect", request, &response).code, "invalid_argument");
  request.mutable_filter();
  EXPECT_EQ(Call(crierd, "Disconnect", request, &response).code, "invalid_argument");
  request.set_user_id("ann");
  request.set_detail("maintenance");
  request.set_advice(v1::DisconnectRequest::RETRY_AFTER);
  request.mutable_retry_after()->set_seconds(30);
  ASSERT_EQ(Call(crierd, "Disconnect", request, &response).code, "ok");
  EXPECT_EQ(response.disconnected(), 2u);

  const auto close = ann.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 4410);
  EXPECT_EQ(close->close_reason(), "DISCONNECTED_BY_ADMIN: maintenance; retry_after_ms=30000");
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(status.error_message(), "maintenance");
  EXPECT_EQ(ReasonOf(status), "DISCONNECTED_BY_ADMIN");
  EXPECT_THAT(status.error_details(), AllOf(HasSubstr("retry_after_ms"), HasSubstr("30000")));
  EXPECT_TRUE(
      LogHas(&crierd, "admin: Disconnect by local from 127.0.0.1: user \"ann\": 2 sessions"));
  // Nobody else was meant.
  bob.SendText(R"({"action_type":"direct","body":"still"})");
  EXPECT_THAT(bob.ReadText(), HasSubstr("still"));

  const auto left = ListAll(crierd, {}, 10);
  ASSERT_EQ(left.size(), 1u);
  request.Clear();
  request.set_session_id(left[0].session_id());
  ASSERT_EQ(Call(crierd, "Disconnect", request, &response).code, "ok");
  EXPECT_EQ(response.disconnected(), 1u);
  const auto last = bob.ReadClose();
  ASSERT_TRUE(last);
  // Without advice nothing is said of coming back.
  EXPECT_THAT(last->close_reason(), AllOf(StartsWith("DISCONNECTED_BY_ADMIN"),
                                          EndsWith("disconnected by an administrator")));
  ASSERT_EQ(Call(crierd, "Disconnect", request, &response).code, "ok");
  EXPECT_EQ(response.disconnected(), 0u);
}

TEST_P(AdminTest, PublishesAsTheServerAndShowsTopics) {
  CrierdProcess crierd({"--shards=2"});
  ASSERT_TRUE(crierd.ready());
  WebSocketClient ann = Connect(crierd, "ann");
  ann.SendText(R"({"action_type":"subscribe","topic":"news","id":"1"})");
  ann.ReadText();
  v1::PublishRequest publish;
  publish.mutable_message()->set_action_type(v1::BROADCAST);
  publish.mutable_message()->set_user_id("operator");
  publish.mutable_message()->set_topic("news");
  publish.mutable_message()->set_body("hello");
  v1::PublishResponse published;
  ASSERT_EQ(Call(crierd, "Publish", publish, &published).code, "ok");
  EXPECT_EQ(published.recipients(), 1u);
  EXPECT_THAT(ann.ReadText(), AllOf(HasSubstr("hello"), HasSubstr("operator")));
  EXPECT_TRUE(
      LogHas(&crierd, "admin: Publish by local from 127.0.0.1: to topic \"news\", 5 bytes"));

  std::set<std::string> wanted;
  for (int i = 0; i < 30; ++i) {
    publish.mutable_message()->set_topic(absl::StrCat("room.", i));
    wanted.insert(publish.message().topic());
    ASSERT_EQ(Call(crierd, "Publish", publish, &published).code, "ok");
  }
  v1::GetTopicRequest get;
  get.set_topic("news");
  v1::TopicInfo topic;
  ASSERT_EQ(Call(crierd, "GetTopic", get, &topic).code, "ok");
  EXPECT_EQ(topic.followers(), 1u);
  EXPECT_EQ(topic.head(), 1u);
  EXPECT_EQ(topic.tail(), 1u);
  EXPECT_GT(topic.bytes(), 0u);
  EXPECT_DOUBLE_EQ(topic.messages_per_second(), 0.1);

  v1::ListTopicsRequest list;
  list.set_prefix("room.");
  list.set_page_size(7);
  int pages = 0;
  do {
    v1::ListTopicsResponse page;
    ASSERT_EQ(Call(crierd, "ListTopics", list, &page).code, "ok");
    EXPECT_LE(page.topics_size(), 7);
    for (const v1::TopicInfo& info : page.topics()) {
      EXPECT_EQ(wanted.erase(info.topic()), 1u) << info.topic();
      EXPECT_EQ(info.head(), 1u);
      EXPECT_DOUBLE_EQ(info.messages_per_second(), 0.1);
    }
    list.set_page_token(page.next_page_token());
    ++pages;
  } while (!list.page_token().empty());
  EXPECT_THAT(wanted, IsEmpty());
  EXPECT_GE(pages, 5);
}

// By both ways, and nothing that a client makes up becomes a label.
TEST_P(AdminTest, CallsAreCountedByMethodAndCode) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  v1::ServerInfo info;
  ASSERT_EQ(Call(crierd, "GetServerInfo", v1::GetServerInfoRequest(), &info).code, "ok");
  v1::GetSessionRequest none;
  none.set_session_id("12345");
  v1::SessionDetails details;
  ASSERT_EQ(Call(crierd, "GetSession", none, &details).code, "not_found");
  Call(crierd, "NoSuchMethod", none, &details);
  const bool grpc = GetParam() == Surface::kGrpc;
  const auto line = [grpc](const std::string& method, const std::string& code) {
    if (!grpc) {
      const std::string name = method == "unknown" ? method : "crier.v1.Admin/" + method;
      return absl::StrCat("crier_http_calls_total{method=\"", name, "\",code=\"", code, "\"} 1\n");
    }
    const bool known = method != "unknown";
    return absl::StrCat("grpc_server_handled_total{grpc_type=\"", known ? "unary" : "unknown",
                        "\",grpc_service=\"", known ? "crier.v1.Admin" : "unknown",
                        "\",grpc_method=\"", method, "\",grpc_code=\"", code, "\"} 1\n");
  };
  std::string metrics;
  // A gRPC call is counted at its end, which may come after its client knows it.
  EXPECT_TRUE(crierd.WaitUntil([&] {
    metrics = HttpGet(crierd.http(), "/metrics");
    return metrics.find(line("unknown", "Unimplemented")) != metrics.npos;
  })) << metrics;
  EXPECT_THAT(metrics, HasSubstr(line("GetServerInfo", "OK")));
  EXPECT_THAT(metrics, HasSubstr(line("GetSession", "NotFound")));
  EXPECT_THAT(metrics, ::testing::Not(HasSubstr("NoSuchMethod")));
}

TEST_P(AdminTest, DrainEndsTheServerInForm) {
  CrierdProcess crierd({"--drain_time=1500ms"});
  ASSERT_TRUE(crierd.ready());
  WebSocketClient ann = Connect(crierd, "ann");
  v1::DrainResponse response;
  ASSERT_EQ(Call(crierd, "Drain", v1::DrainRequest(), &response).code, "ok");
  EXPECT_EQ(response.drain_time().seconds(), 1);
  const auto close = ann.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1001);
  EXPECT_EQ(crierd.WaitForExit(), 0) << crierd.err();
  EXPECT_THAT(crierd.err(), HasSubstr("admin: Drain by local from 127.0.0.1: over 1500 ms"));
}

}  // namespace
}  // namespace crier::testing
