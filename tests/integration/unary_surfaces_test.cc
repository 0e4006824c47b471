// A unary method is written once and served by gRPC and by HTTP: what holds for it on both.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "crier/v1/messaging.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/engine/engine.h"
#include "server/grpc/grpc_server.h"
#include "server/grpc/message_reader.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "server/service/unary_methods.h"
#include "server/websocket/websocket_server.h"
#include "tests/support/http2_client.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr std::string_view kPath = "/crier.v1.Messaging/Publish";
constexpr auto kPatience = 10s;

enum class Surface { kGrpc, kHttp };

// gRPC's codes.
constexpr int kInvalidArgument = 3;
constexpr int kDeadlineExceeded = 4;
constexpr int kAborted = 10;
constexpr int kInternal = 13;
const std::map<std::string, int> kCodeNames = {{"invalid_argument", kInvalidArgument},
                                               {"deadline_exceeded", kDeadlineExceeded},
                                               {"aborted", kAborted},
                                               {"internal", kInternal}};

// What came back, whichever way it was written.
struct Reply {
  int code = -1;
  std::string text;  // of an error, as it was written
  std::string reason;
  v1::PublishResponse response;
  std::vector<std::string> Of(const Http2Client::Fields& fields, std::string_view name) const {
    std::vector<std::string> values;
    for (const auto& [field, value] : fields) {
      if (field == name) values.push_back(value);
    }
    return values;
  }
  std::vector<std::string> Header(std::string_view name) const { return Of(head, name); }
  std::vector<std::string> Trailer(std::string_view name) const { return Of(trailers, name); }

  Http2Client::Fields head;
  Http2Client::Fields trailers;
};

std::string ReasonIn(const google::protobuf::Any& detail) {
  google::rpc::ErrorInfo info;
  return detail.UnpackTo(&info) ? info.reason() : "";
}

// One call over a connection of its own.
class TestCaller {
 public:
  using Fields = Http2Client::Fields;

  TestCaller(Surface surface, const std::string& address) {
    if (surface == Surface::kGrpc) {
      grpc_ = std::make_unique<Http2Client>(address);
    } else {
      http_ = std::make_unique<WebSocketClient>(address);
    }
  }

  void Send(const std::string& request, const Fields& more = {}) {
    if (grpc_ != nullptr) {
      Fields fields = {
          {":method", "POST"},         {":scheme", "http"}, {":path", std::string(kPath)},
          {":authority", "localhost"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
      fields.insert(fields.end(), more.begin(), more.end());
      stream_ = grpc_->Start(fields);
      std::string bytes;
      AppendMessagePrefix(request.size(), &bytes);
      grpc_->Send(stream_, bytes + request, true);
      return;
    }
    std::string bytes = absl::StrCat("POST ", std::string(kPath),
                                     " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                                     "Content-Type: application/proto\r\n");
    for (const auto& [name, value] : more) absl::StrAppend(&bytes, name, ": ", value, "\r\n");
    absl::StrAppend(&bytes, "Content-Length: ", request.size(), "\r\n\r\n", request);
    http_->SendRaw(bytes);
  }

  Reply Await() { return grpc_ != nullptr ? AwaitGrpc() : AwaitHttp(); }

  // By HTTP, one that only sends no more may still wait for its answer.
  void BreakOff() {
    if (grpc_ != nullptr) grpc_->Drop();
    if (http_ != nullptr) http_->Reset();
  }

 private:
  Reply AwaitGrpc() {
    const Http2Client::Stream& stream = grpc_->AwaitEnd(stream_);
    Reply reply;
    reply.head = stream.head;
    // An error without a message before it is all in one head.
    reply.trailers = stream.trailers.empty() ? stream.head : stream.trailers;
    reply.code = std::stoi(stream.Find("grpc-status"));
    reply.text = stream.Find("grpc-message");
    std::string bytes;
    google::rpc::Status details;
    if (absl::Base64Unescape(stream.Find("grpc-status-details-bin"), &bytes) &&
        details.ParseFromString(bytes) && details.details_size() > 0) {
      reply.reason = ReasonIn(details.details(0));
    }
    MessageReader reader;
    reader.Feed(stream.data);
    if (const auto message = reader.Next(SIZE_MAX)) {
      EXPECT_TRUE(reply.response.ParseFromString(std::string(*message)));
    }
    return reply;
  }

  Reply AwaitHttp() {
    Reply reply;
    if (!http_->ReadResponseHeader()) return reply;
    const std::vector<std::string> lines = absl::StrSplit(http_->response(), "\r\n");
    for (size_t i = 1; i < lines.size() && !lines[i].empty(); ++i) {
      const std::pair<std::string, std::string> field =
          absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
      const std::string name = absl::AsciiStrToLower(field.first);
      if (name.starts_with("trailer-")) {
        reply.trailers.emplace_back(name.substr(8), field.second);
      } else {
        reply.head.emplace_back(name, field.second);
      }
    }
    const std::string body = http_->ReadBody();
    if (http_->status() == 200) {
      reply.code = 0;
      EXPECT_TRUE(reply.response.ParseFromString(body));
      return reply;
    }
    reply.text = body;
    const auto between = [&body](std::string_view before) {
      const size_t at = body.find(before);
      if (at == body.npos) return std::string();
      const std::string rest = body.substr(at + before.size());
      return rest.substr(0, rest.find('"'));
    };
    const auto code = kCodeNames.find(between(R"("code":")"));
    if (code != kCodeNames.end()) reply.code = code->second;
    std::string bytes;
    google::rpc::ErrorInfo info;
    if (absl::Base64Unescape(between(R"("value":")"), &bytes) && info.ParseFromString(bytes)) {
      reply.reason = info.reason();
    }
    return reply;
  }

  std::unique_ptr<Http2Client> grpc_;
  int32_t stream_ = 0;
  std::unique_ptr<WebSocketClient> http_;
};

// A server whose Publish is the test's own.
class UnarySurfacesTest : public ::testing::TestWithParam<Surface> {
 protected:
  using Handler = std::function<void(UnaryCall&, v1::PublishRequest)>;

  void Serve(Handler handler, UnaryMethods::Fields fields = UnaryMethods::Fields::kDrop) {
    methods_.Add<v1::PublishRequest, v1::PublishResponse>(std::string(kPath), std::move(handler),
                                                          fields);
    engine_options_.shards = 1;
    metrics_ = std::make_unique<Metrics>(1);
    engine_ = std::make_unique<Engine>(engine_options_, Clock::Real(), metrics_.get());
    table_ = std::make_unique<ConnectionTable>(ConnectionTable::Limits{});
    grpc_ = std::make_unique<GrpcServer>(engine_.get(), &methods_, table_.get());
    http_ = std::make_unique<WebSocketServer>(engine_.get(), &methods_, table_.get(),
                                              websocket_options_);
    engine_->Start();
    ASSERT_TRUE(grpc_->Listen("127.0.0.1:0").ok());
    ASSERT_TRUE(http_->Listen("127.0.0.1:0").ok());
    ASSERT_TRUE(grpc_->Start().ok());
    ASSERT_TRUE(http_->Start().ok());
  }
  void TearDown() override {
    http_.reset();
    grpc_.reset();
    if (engine_ != nullptr) engine_->Stop();
  }

  std::string http_address() const { return http_->addresses(); }
  TestCaller NewCaller() {
    const bool grpc = GetParam() == Surface::kGrpc;
    return TestCaller(GetParam(), grpc ? grpc_->addresses() : http_->addresses());
  }
  Reply Call(const std::string& request, const TestCaller::Fields& more = {}) {
    TestCaller caller = NewCaller();
    caller.Send(request, more);
    return caller.Await();
  }
  Reply Call(const TestCaller::Fields& more = {}) { return Call(Request("hello"), more); }
  static std::string Request(const std::string& body) {
    v1::PublishRequest request;
    request.mutable_message()->set_body(body);
    return request.SerializeAsString();
  }
  static v1::PublishResponse Response(const std::string& topic) {
    v1::PublishResponse response;
    response.set_topic(topic);
    return response;
  }
  // How this surface's callers say how long a call may take.
  static TestCaller::Fields Timeout(int milliseconds) {
    if (GetParam() == Surface::kGrpc) return {{"grpc-timeout", absl::StrCat(milliseconds, "m")}};
    return {{"connect-timeout-ms", absl::StrCat(milliseconds)}};
  }

  // Runs it on the shard's thread, and returns when it is done.
  void OnShard(const std::function<void()>& task) {
    std::promise<void> done;
    engine_->shard(0).Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  bool EventuallyOnShard(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    bool holds = false;
    while (!holds && std::chrono::steady_clock::now() < deadline) {
      OnShard([&] { holds = condition(); });
      std::this_thread::yield();
    }
    return holds;
  }
  const ShardMetrics& metrics() const { return metrics_->shard(0); }

  EngineOptions engine_options_;
  WebSocketOptions websocket_options_;

 private:
  UnaryMethods methods_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ConnectionTable> table_;
  std::unique_ptr<GrpcServer> grpc_;
  std::unique_ptr<WebSocketServer> http_;
};

TEST_P(UnarySurfacesTest, AHandlerGetsTheRequestAndTheCaller) {
  Serve([](UnaryCall& call, v1::PublishRequest request) {
    call.Respond(
        Response(absl::StrCat(call.caller().user_id.str(), " says ", request.message().body())));
  });
  const Reply reply = Call({{"crier-user-id", "ann"}});
  EXPECT_EQ(reply.code, 0);
  EXPECT_EQ(reply.response.topic(), "ann says hello");
}

TEST_P(UnarySurfacesTest, WhoIsNobodyOfANameIsRefusedBefore) {
  bool called = false;
  Serve([&called](UnaryCall& call, v1::PublishRequest) {
    called = true;
    call.Respond(Response(""));
  });
  const Reply reply = Call({{"crier-user-id", std::string(300, 'x')}});
  EXPECT_EQ(reply.code, kInvalidArgument);
  EXPECT_EQ(reply.reason, "INVALID_MESSAGE");
  EXPECT_THAT(absl::AsciiStrToLower(reply.text), HasSubstr("crier-user-id: user_id has 300 bytes"));
  OnShard([&called] { EXPECT_FALSE(called); });
}

TEST_P(UnarySurfacesTest, WhatIsNoRequestIsRefusedBefore) {
  Serve([](UnaryCall& call, v1::PublishRequest) { call.Respond(Response("")); });
  const Reply reply = Call(std::string("\xff"));
  EXPECT_EQ(reply.code, kInvalidArgument);
  EXPECT_EQ(reply.reason, "INVALID_MESSAGE");
  EXPECT_THAT(reply.text, HasSubstr("not a crier.v1.PublishRequest in protobuf's encoding"));
}

TEST_P(UnarySurfacesTest, FieldsAndTimeoutAreThereForWhoAsks) {
  CallFields fields;
  std::optional<std::chrono::nanoseconds> timeout;
  Serve(
      [&](UnaryCall& call, v1::PublishRequest) {
        fields = call.head().fields;
        timeout = call.head().timeout;
        call.Respond(Response(""));
      },
      UnaryMethods::Fields::kKeep);
  TestCaller::Fields sent = Timeout(7000);
  sent.insert(sent.end(), {{"x-some", "one"}, {"x-some", "two"}});
  EXPECT_EQ(Call(sent).code, 0);
  OnShard([&] {
    EXPECT_THAT(fields, AllOf(Contains(Pair("x-some", "one")), Contains(Pair("x-some", "two"))));
    EXPECT_EQ(timeout, 7s);
  });
}

TEST_P(UnarySurfacesTest, FieldsAreNotKeptForOthers) {
  CallFields fields = {{"not", "called"}};
  Serve([&fields](UnaryCall& call, v1::PublishRequest) {
    fields = call.head().fields;
    EXPECT_FALSE(call.head().timeout.has_value());
    call.Respond(Response(""));
  });
  EXPECT_EQ(Call({{"x-some", "one"}}).code, 0);
  OnShard([&fields] { EXPECT_THAT(fields, IsEmpty()); });
}

TEST_P(UnarySurfacesTest, HeadersAndTrailersGoWithAResponse) {
  Serve([](UnaryCall& call, v1::PublishRequest) {
    call.AddHeader("x-head", "one");
    call.AddHeader("x-head", "two");
    call.AddTrailer("x-tail", "three");
    call.AddTrailer("x-tail", "four");
    call.Respond(Response(""));
  });
  const Reply reply = Call();
  EXPECT_EQ(reply.code, 0);
  EXPECT_THAT(reply.Header("x-head"), ElementsAre("one", "two"));
  EXPECT_THAT(reply.Trailer("x-tail"), ElementsAre("three", "four"));
}

TEST_P(UnarySurfacesTest, AnErrorHasItsDetailsAndFields) {
  Serve([](UnaryCall& call, v1::PublishRequest) {
    call.AddTrailer("x-tail", "one");
    UnaryError error{.code = kAborted, .message = "not now"};
    google::rpc::ErrorInfo info;
    info.set_reason("TESTED");
    error.details.emplace_back().PackFrom(info);
    call.Fail(std::move(error));
  });
  const Reply reply = Call();
  EXPECT_EQ(reply.code, kAborted);
  EXPECT_THAT(reply.text, HasSubstr("not now"));
  EXPECT_EQ(reply.reason, "TESTED");
  EXPECT_THAT(reply.Trailer("x-tail"), ElementsAre("one"));
}

TEST_P(UnarySurfacesTest, TheFirstAnswerCounts) {
  Serve([](UnaryCall& call, v1::PublishRequest) {
    EXPECT_FALSE(call.over());
    call.Respond(Response("first"));
    EXPECT_TRUE(call.over());
    call.Respond(Response("second"));
    call.Fail(Outcome::kInternal);
  });
  EXPECT_EQ(Call().response.topic(), "first");
}

TEST_P(UnarySurfacesTest, AnAnswerMayComeLater) {
  std::promise<std::function<void()>> asked;
  Serve([&asked](UnaryCall& call, v1::PublishRequest) {
    asked.set_value(call.Later([](UnaryCall& later) { later.Respond(Response("later")); }));
  });
  TestCaller caller = NewCaller();
  caller.Send(Request("hello"));
  OnShard(asked.get_future().get());
  EXPECT_EQ(caller.Await().response.topic(), "later");
}

// The time that a client has for its request is not the time that the server has for its answer.
TEST_P(UnarySurfacesTest, AnAnswerMayTakeLongerThanARequest) {
  websocket_options_.handshake_timeout = 50ms;
  std::promise<std::function<void()>> asked;
  Serve([&asked](UnaryCall& call, v1::PublishRequest) {
    asked.set_value(call.Later([](UnaryCall& later) { later.Respond(Response("later")); }));
  });
  TestCaller caller = NewCaller();
  caller.Send(Request("hello"));
  const auto answer = asked.get_future().get();
  // Connections that came before the call's and after it run out of their time meanwhile.
  for (int i = 0; i < 3; ++i) {
    WebSocketClient silent(http_address());
    EXPECT_TRUE(silent.WaitForEnd());
  }
  OnShard(answer);
  EXPECT_EQ(caller.Await().response.topic(), "later");
}

TEST_P(UnarySurfacesTest, WhatThrowsFailsItsCallOnly) {
  Serve([](UnaryCall& call, v1::PublishRequest request) {
    if (request.message().body() == "at once") throw std::runtime_error("tested");
    if (request.message().body() == "later") {
      return call.shard().Post(
          call.Later([](UnaryCall&) { throw std::runtime_error("tested too"); }));
    }
    call.Respond(Response("fine"));
  });
  for (const char* when : {"at once", "later"}) {
    const Reply reply = Call(Request(when));
    EXPECT_EQ(reply.code, kInternal) << when;
    EXPECT_EQ(reply.reason, "INTERNAL") << when;
  }
  EXPECT_EQ(Call().response.topic(), "fine");
  OnShard([this] { EXPECT_EQ(metrics().handler_exceptions.value(), 2u); });
}

TEST_P(UnarySurfacesTest, ItsTimeEndsACall) {
  std::shared_ptr<UnaryCall> kept;
  Serve([&kept](UnaryCall& call, v1::PublishRequest) { kept = call.shared_from_this(); });
  EXPECT_EQ(Call(Timeout(20)).code, kDeadlineExceeded);
  OnShard([&kept] {
    EXPECT_TRUE(kept->over());
    kept->Respond(Response("too late"));
    kept.reset();
  });
}

TEST_P(UnarySurfacesTest, ACallerThatHasGoneIsNoticed) {
  std::shared_ptr<UnaryCall> kept;
  Serve([&kept](UnaryCall& call, v1::PublishRequest) { kept = call.shared_from_this(); });
  TestCaller caller = NewCaller();
  caller.Send(Request("hello"));
  EXPECT_TRUE(EventuallyOnShard([&kept] { return kept != nullptr; }));
  caller.BreakOff();
  EXPECT_TRUE(EventuallyOnShard([&kept] { return kept->over(); }));
  OnShard([&kept] {
    kept->Respond(Response("nobody hears it"));
    kept.reset();
  });
}

class LongResponse final : public PulledMessage {
 public:
  explicit LongResponse(std::string bytes) : bytes_(std::move(bytes)) {}
  size_t size() const override { return bytes_.size(); }
  void AppendNext(size_t bytes, std::string* out) override {
    out->append(bytes_, taken_, bytes);
    taken_ += bytes;
  }

 private:
  const std::string bytes_;
  size_t taken_ = 0;
};

TEST_P(UnarySurfacesTest, ALongResponseIsMadeWhenThereIsRoom) {
  const std::string topic(50'000, 't');
  Serve([&topic](UnaryCall& call, v1::PublishRequest) {
    call.AddTrailer("x-tail", "one");
    call.AwaitRoom(100'000, [&topic](UnaryCall& asked) {
      EXPECT_GE(asked.response_limit(), 50'000u);
      asked.Respond(std::make_unique<LongResponse>(Response(topic).SerializeAsString()));
    });
  });
  const Reply reply = Call();
  EXPECT_EQ(reply.code, 0);
  EXPECT_EQ(reply.response.topic(), topic);
  EXPECT_THAT(reply.Trailer("x-tail"), ElementsAre("one"));
}

std::string NameOf(const ::testing::TestParamInfo<Surface>& surface) {
  return surface.param == Surface::kGrpc ? "Grpc" : "Http";
}

INSTANTIATE_TEST_SUITE_P(Surfaces, UnarySurfacesTest,
                         ::testing::Values(Surface::kGrpc, Surface::kHttp), NameOf);

}  // namespace
}  // namespace crier::testing
