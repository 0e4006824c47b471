// crier.v1.Admin of the real program, over gRPC and over HTTP on one port.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crier/v1/admin.pb.h"
#include "tests/support/crierd_process.h"
#include "tests/support/grpc_client.h"
#include "tests/support/loopback.h"
#include "tests/support/tokens.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

enum class Surface { kGrpc, kHttp };

// What became of a call: gRPC's name of the code in Connect's spelling, "ok" where it went well.
struct Result {
  std::string code;
  std::string message;
};

std::string CodeName(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return "ok";
    case grpc::StatusCode::UNAUTHENTICATED:
      return "unauthenticated";
    case grpc::StatusCode::PERMISSION_DENIED:
      return "permission_denied";
    case grpc::StatusCode::NOT_FOUND:
      return "not_found";
    case grpc::StatusCode::INVALID_ARGUMENT:
      return "invalid_argument";
    default:
      return absl::StrCat("code ", static_cast<int>(code));
  }
}

Metadata Authorization(const std::string& token) {
  return token.empty() ? Metadata{} : Metadata{{"authorization", "Bearer " + token}};
}

class AdminTest : public ::testing::TestWithParam<Surface> {
 protected:
  ~AdminTest() override { std::filesystem::remove(keys_); }

  // The server's flags for tokens.
  std::vector<std::string> WithKeys() {
    std::ofstream(keys_, std::ios::binary) << kTestSecret;
    return {"--auth_keys=" + keys_};
  }

  static Result CallByGrpc(const CrierdProcess& crierd, const std::string& method,
                           const google::protobuf::Message& request, const std::string& token,
                           google::protobuf::Message* response) {
    GrpcClient client(crierd.admin());
    GrpcStream call(client.channel(), "/crier.v1.Admin/" + method, Authorization(token));
    call.Send(request);
    call.CloseSending();
    const std::string bytes = call.NextBytes();
    const grpc::Status status = call.Finish();
    if (status.ok()) {
      EXPECT_TRUE(response->ParseFromString(bytes));
    }
    return {CodeName(status.error_code()), status.error_message()};
  }

  static Result CallByHttp(const CrierdProcess& crierd, const std::string& method,
                           const google::protobuf::Message& request, const std::string& token,
                           google::protobuf::Message* response) {
    std::string json;
    EXPECT_TRUE(google::protobuf::util::MessageToJsonString(request, &json).ok());
    const UniqueFd fd = ConnectTo(crierd.admin());
    EXPECT_TRUE(SendAll(
        fd.get(),
        absl::StrCat("POST /crier.v1.Admin/", method, " HTTP/1.1\r\nHost: ", crierd.admin(),
                     "\r\nContent-Type: application/json\r\n",
                     token.empty() ? "" : "Authorization: Bearer " + token + "\r\n",
                     "Connection: close\r\nContent-Length: ", json.size(), "\r\n\r\n", json)));
    const std::string answer = ReadUntil(fd.get(), "there is no such end");
    const std::string body = answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4));
    if (answer.starts_with("HTTP/1.1 200 ")) {
      EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(body, response).ok()) << body;
      return {"ok", ""};
    }
    // {"code":"...","message":"...",...}
    const size_t begin = body.find(R"("code":")") + 8;
    return {body.substr(begin, body.find('"', begin) - begin), body};
  }

  Result Call(const CrierdProcess& crierd, const std::string& method,
              const google::protobuf::Message& request, google::protobuf::Message* response,
              const std::string& token = {}) const {
    return GetParam() == Surface::kGrpc ? CallByGrpc(crierd, method, request, token, response)
                                        : CallByHttp(crierd, method, request, token, response);
  }

  // All sessions that the filter names, page by page; none twice.
  std::vector<v1::SessionInfo> ListAll(const CrierdProcess& crierd, const v1::SessionFilter& filter,
                                       uint32_t page_size, int* pages = nullptr) const {
    std::vector<v1::SessionInfo> all;
    std::set<std::string> ids;
    v1::ListSessionsRequest request;
    *request.mutable_filter() = filter;
    request.set_page_size(page_size);
    do {
      v1::ListSessionsResponse page;
      EXPECT_EQ(Call(crierd, "ListSessions", request, &page).code, "ok");
      EXPECT_LE(page.sessions_size(), static_cast<int>(page_size));
      for (const v1::SessionInfo& session : page.sessions()) {
        EXPECT_TRUE(ids.insert(session.session_id()).second) << "twice: " << session.session_id();
        all.push_back(session);
      }
      request.set_page_token(page.next_page_token());
      if (pages != nullptr) ++*pages;
    } while (!request.page_token().empty());
    return all;
  }

  // Of a session that has its place everywhere: its own message has come back to it.
  static WebSocketClient Connect(const CrierdProcess& crierd, const std::string& user) {
    WebSocketClient client(
        crierd.http(), WebSocketClient::Options{.target = "/ws?user_id=" + user, .headers = {}});
    EXPECT_EQ(client.status(), 101);
    client.SendText(R"({"action_type":"direct","body":"here"})");
    EXPECT_THAT(client.ReadText(), HasSubstr("here"));
    return client;
  }

  static bool LogHas(CrierdProcess* crierd, std::string_view text) {
    return crierd->WaitUntil([&] { return crierd->err().find(text) != std::string::npos; });
  }

  const std::string keys_ = ::testing::TempDir() + "crier_admin_test_" + std::to_string(::getpid());
};

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
    }
    list.set_page_token(page.next_page_token());
    ++pages;
  } while (!list.page_token().empty());
  EXPECT_THAT(wanted, IsEmpty());
  EXPECT_GE(pages, 5);
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

// --- The streams are gRPC's alone.

class AdminStreamTest : public AdminTest {};
INSTANTIATE_TEST_SUITE_P(Surfaces, AdminStreamTest, ::testing::Values(Surface::kGrpc));

TEST_P(AdminStreamTest, StatsFollowTheServer) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  GrpcClient client(crierd.admin());
  GrpcStream watch(client.channel(), "/crier.v1.Admin/WatchStats", {});
  v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(100'000'000);
  watch.Send(request);
  watch.CloseSending();
  WebSocketClient ann = Connect(crierd, "ann");
  v1::Stats stats;
  for (int i = 0; i < 50 && stats.messages_received() == 0; ++i) {
    ASSERT_TRUE(stats.ParseFromString(watch.NextBytes()));
  }
  EXPECT_EQ(stats.messages_received(), 1u);
  EXPECT_EQ(stats.websocket_sessions(), 1u);
  EXPECT_GT(stats.memory_budget(), 0u);
}

TEST_P(AdminStreamTest, EventsTellWhoComesAndGoes) {
  CrierdProcess crierd({"--shards=2"});
  ASSERT_TRUE(crierd.ready());
  GrpcClient client(crierd.admin());
  GrpcStream watch(client.channel(), "/crier.v1.Admin/WatchEvents", {});
  watch.Send(v1::WatchEventsRequest());
  watch.CloseSending();
  // Every shard has begun to tell when both kinds of events of some session have come.
  bool began = false;
  bool ended = false;
  for (int i = 0; i < 50 && !(began && ended); ++i) {
    Connect(crierd, "ann").CloseNicely();
    v1::AdminEvents events;
    ASSERT_TRUE(events.ParseFromString(watch.NextBytes()));
    for (const v1::AdminEvent& event : events.events()) {
      if (event.has_began()) {
        began = true;
        EXPECT_EQ(event.began().user_id(), "ann");
        EXPECT_EQ(event.began().address(), "127.0.0.1");
      }
      if (event.has_ended()) {
        ended = true;
        EXPECT_EQ(event.ended().outcome(), "OK");
      }
    }
  }
  EXPECT_TRUE(began);
  EXPECT_TRUE(ended);
}

TEST_P(AdminStreamTest, EventsOverTheLimitAreCounted) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  GrpcClient client(crierd.admin());
  GrpcStream watch(client.channel(), "/crier.v1.Admin/WatchEvents", {});
  v1::WatchEventsRequest request;
  request.set_max_events_per_second(1);
  watch.Send(request);
  watch.CloseSending();
  uint64_t left_out = 0;
  for (int i = 0; i < 10 && left_out == 0; ++i) {
    for (int j = 0; j < 20; ++j) Connect(crierd, "ann").CloseNicely();
    v1::AdminEvents events;
    ASSERT_TRUE(events.ParseFromString(watch.NextBytes()));
    EXPECT_LE(events.events_size(), 1);
    left_out += events.left_out();
  }
  EXPECT_GT(left_out, 0u);
}

TEST_P(AdminStreamTest, AStreamNeedsTheClaimToo) {
  CrierdProcess crierd(WithKeys());
  ASSERT_TRUE(crierd.ready());
  GrpcClient client(crierd.admin());
  for (const char* method : {"WatchStats", "WatchEvents"}) {
    const std::string path = absl::StrCat("/crier.v1.Admin/", method);
    GrpcStream none(client.channel(), path, {});
    EXPECT_EQ(none.Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
    GrpcStream other(client.channel(), path, Authorization(TokenFor("bob")));
    EXPECT_EQ(other.Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
}

TEST_P(AdminStreamTest, TheListenerServesNothingElse) {
  CrierdProcess crierd;
  ASSERT_TRUE(crierd.ready());
  EXPECT_THAT(HttpGet(crierd.admin(), "/ws"),
              AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("/crier.v1.Admin/")));
  EXPECT_THAT(HttpGet(crierd.admin(), "/readyz"), StartsWith("HTTP/1.1 200"));
  GrpcClient client(crierd.admin());
  GrpcStream session(client.channel(), "/crier.v1.Messaging/Connect", {});
  EXPECT_EQ(session.Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
  // And no other listener serves it.
  GrpcClient clients(crierd.grpc());
  GrpcStream info(clients.channel(), "/crier.v1.Admin/GetServerInfo", {});
  EXPECT_EQ(info.Finish().error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace crier::testing
