// Health and reflection over gRPC's protocol. The rest of them: grpc_unary_test.cc.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "tests/support/grpc_protocol_fixture.h"

namespace crier::testing {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// --- Health.

class GrpcHealthTest : public GrpcProtocolTest {
 protected:
  static std::string Request(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return request.SerializeAsString();
  }
  // The last of this many answers.
  static int AwaitStatus(Http2Client* client, int32_t id, size_t count) {
    HealthCheckResponse response;
    EXPECT_TRUE(response.ParseFromString(AwaitMessages(client, id, count).back()));
    return response.status();
  }
  static int32_t Watch(Http2Client* client, const std::string& service) {
    const int32_t id = client->Start(HeadOf("/grpc.health.v1.Health/Watch"));
    client->Send(id, Framed(Request(service)), true);
    return id;
  }
};

TEST_F(GrpcHealthTest, WatchTellsEveryChange) {
  StartServer();
  Http2Client client(address());
  const std::vector<int32_t> watches = {Watch(&client, ""), Watch(&client, "crier.v1.Messaging")};
  for (const int32_t id : watches) {
    EXPECT_EQ(AwaitStatus(&client, id, 1), HealthCheckResponse::SERVING);
  }
  server().SetReady(false);
  server().SetReady(false);  // no change
  for (const int32_t id : watches) {
    EXPECT_EQ(AwaitStatus(&client, id, 2), HealthCheckResponse::NOT_SERVING);
  }
  server().SetReady(true);
  for (const int32_t id : watches) {
    EXPECT_EQ(AwaitStatus(&client, id, 3), HealthCheckResponse::SERVING);
    EXPECT_EQ(MessagesIn(client.stream(id)).size(), 3u);
    EXPECT_FALSE(client.stream(id).ended);
  }
}

TEST_F(GrpcHealthTest, WatchOfAnUnknownServiceWaitsForIt) {
  StartServer();
  Http2Client client(address());
  const int32_t id = Watch(&client, "nobody.Knows");
  EXPECT_EQ(AwaitStatus(&client, id, 1), HealthCheckResponse::SERVICE_UNKNOWN);
  server().SetReady(false);
  Publish(&client, Broadcast("hello"));
  EXPECT_EQ(MessagesIn(client.stream(id)).size(), 1u);
  EXPECT_FALSE(client.stream(id).ended);
}

TEST_F(GrpcHealthTest, WhoWatchesAndLeavesIsToldNothing) {
  StartServer();
  Http2Client client(address());
  const int32_t left = Watch(&client, ""), stays = Watch(&client, "");
  for (const int32_t id : {left, stays}) AwaitStatus(&client, id, 1);
  client.Reset(left);
  server().SetReady(false);
  EXPECT_EQ(AwaitStatus(&client, stays, 2), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(MessagesIn(client.stream(left)).size(), 1u);
}

TEST_F(GrpcHealthTest, CheckAnswersOnce) {
  StartServer();
  Http2Client client(address());
  const Stream& known = Call(&client, "/grpc.health.v1.Health/Check", Request(""));
  EXPECT_EQ(CodeOf(known), 0);
  HealthCheckResponse response;
  ASSERT_TRUE(response.ParseFromString(MessagesIn(known).at(0)));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  const Stream& unknown = Call(&client, "/grpc.health.v1.Health/Check", Request("nobody.Knows"));
  EXPECT_EQ(CodeOf(unknown), 5);
  EXPECT_THAT(unknown.Find("grpc-message"), HasSubstr("nobody.Knows"));
}

// --- Reflection, of both versions.

class GrpcReflectionTest : public GrpcProtocolTest,
                           public ::testing::WithParamInterface<const char*> {
 protected:
  int32_t Open(Http2Client* client) {
    return client->Start(HeadOf("/grpc.reflection." + std::string(GetParam()) +
                                ".ServerReflection/ServerReflectionInfo"));
  }
  // Asks, and returns the answer; `count` questions were asked on this stream with this one.
  static ServerReflectionResponse Ask(Http2Client* client, int32_t id, size_t count,
                                      const ServerReflectionRequest& request) {
    client->Send(id, Framed(request));
    ServerReflectionResponse response;
    EXPECT_TRUE(response.ParseFromString(AwaitMessages(client, id, count).back()));
    EXPECT_EQ(response.original_request().SerializeAsString(), request.SerializeAsString());
    return response;
  }
  // The names of the files in an answer.
  static std::vector<std::string> FilesIn(const ServerReflectionResponse& response) {
    std::vector<std::string> names;
    for (const auto& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }
};

TEST_P(GrpcReflectionTest, ListsServices) {
  StartServer();
  Http2Client client(address());
  ServerReflectionRequest request;
  request.set_host("localhost");
  request.set_list_services("*");
  const ServerReflectionResponse response = Ask(&client, Open(&client), 1, request);
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.push_back(service.name());
  }
  EXPECT_THAT(names, UnorderedElementsAre("crier.v1.Messaging", "grpc.health.v1.Health",
                                          "grpc.reflection.v1.ServerReflection",
                                          "grpc.reflection.v1alpha.ServerReflection"));
  EXPECT_EQ(response.valid_host(), "localhost");
}

TEST_P(GrpcReflectionTest, GivesFilesWithAllThatTheyImport) {
  StartServer();
  Http2Client client(address());
  const int32_t id = Open(&client);
  ServerReflectionRequest request;
  request.set_file_by_filename("crier/v1/messaging.proto");
  const auto by_name = FilesIn(Ask(&client, id, 1, request));
  EXPECT_EQ(by_name.at(0), "crier/v1/messaging.proto");
  EXPECT_THAT(by_name, UnorderedElementsAre("crier/v1/messaging.proto", "crier/v1/message.proto",
                                            "google/protobuf/duration.proto"));
  size_t count = 1;
  for (const char* symbol : {"crier.v1.Messaging", "crier.v1.Messaging.Publish",
                             "crier.v1.PublishRequest", "crier.v1.PublishRequest.message"}) {
    request.set_file_containing_symbol(symbol);
    EXPECT_EQ(FilesIn(Ask(&client, id, ++count, request)), by_name) << symbol;
  }
  request.set_file_containing_symbol("grpc.health.v1.Health");
  EXPECT_THAT(FilesIn(Ask(&client, id, ++count, request)), Contains("grpc/health/v1/health.proto"));
}

TEST_P(GrpcReflectionTest, WhatIsUnknownIsNotFoundAndTheCallGoesOn) {
  StartServer();
  Http2Client client(address());
  const int32_t id = Open(&client);
  ServerReflectionRequest request;
  request.set_file_containing_symbol("nobody.Knows");
  ServerReflectionResponse response = Ask(&client, id, 1, request);
  EXPECT_EQ(response.error_response().error_code(), 5);
  EXPECT_THAT(response.error_response().error_message(), HasSubstr("nobody.Knows"));
  request.set_file_by_filename("no/such.proto");
  response = Ask(&client, id, 2, request);
  EXPECT_EQ(response.error_response().error_code(), 5);
  request.mutable_file_containing_extension()->set_containing_type("crier.v1.Message");
  request.mutable_file_containing_extension()->set_extension_number(1000);
  EXPECT_EQ(Ask(&client, id, 3, request).error_response().error_code(), 5);
  request.set_all_extension_numbers_of_type("nobody.Knows");
  EXPECT_EQ(Ask(&client, id, 4, request).error_response().error_code(), 5);
  request.Clear();
  EXPECT_EQ(Ask(&client, id, 5, request).error_response().error_code(), 12);
  client.HalfClose(id);
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0);
}

TEST_P(GrpcReflectionTest, AnswersEveryQuestionBeforeItEnds) {
  StartServer();
  Http2Client client(address());
  const int32_t id = Open(&client);
  std::string questions;
  for (int i = 0; i < 50; ++i) {
    ServerReflectionRequest request;
    request.set_host(std::to_string(i));
    request.set_file_containing_symbol("crier.v1.Messaging");
    questions += Framed(request);
  }
  client.Send(id, questions, true);
  const Stream& stream = client.AwaitEnd(id);
  EXPECT_EQ(CodeOf(stream), 0);
  const auto answers = MessagesIn(stream);
  ASSERT_EQ(answers.size(), 50u);
  for (size_t i = 0; i < answers.size(); ++i) {
    ServerReflectionResponse response;
    ASSERT_TRUE(response.ParseFromString(answers[i]));
    EXPECT_EQ(response.valid_host(), std::to_string(i));
  }
}

TEST_P(GrpcReflectionTest, WhoAsksAndTakesNothingIsNotReadFrom) {
  StartServer();
  Http2Client client(address(),
                     {.stream_window = 0, .connection_window = 1 << 30, .returns_window = false});
  const int32_t id = Open(&client);
  ServerReflectionRequest request;
  request.set_file_containing_symbol("crier.v1.Messaging");
  std::string questions;
  for (int i = 0; i < 100; ++i) questions += Framed(request);
  for (int i = 0; i < 50; ++i) client.Send(id, questions);
  client.Ping();
  EXPECT_TRUE(client.Await([&] { return client.ping_acks() == 1; }));
  EXPECT_EQ(memory(MemoryKind::kOutput), 0) << "no answer is made before it can leave";
  client.SetWindow(id, 1 << 30);
  client.HalfClose(id);
  EXPECT_EQ(CodeOf(client.AwaitEnd(id)), 0);
  EXPECT_EQ(MessagesIn(client.stream(id)).size(), 5000u);
}

INSTANTIATE_TEST_SUITE_P(Versions, GrpcReflectionTest, ::testing::Values("v1", "v1alpha"),
                         [](const auto& tested) { return std::string(tested.param); });

// --- Unary methods that want the fields of their requests.

class GrpcKeptFieldsTest : public GrpcProtocolTest {
 protected:
  // Never answers, nor keeps anything itself.
  void AddMethods(UnaryMethods* methods) override {
    methods->Add<HealthCheckRequest, HealthCheckResponse>(
        "/grpc.health.v1.Health/Check", [](UnaryCall&, const HealthCheckRequest&) {},
        UnaryMethods::Fields::kKeep);
  }
};

TEST_F(GrpcKeptFieldsTest, TheyAreCounted) {
  StartServer();
  Http2Client client(address());
  const std::string field(5000, 'x');
  const int32_t id = client.Start(HeadOf("/grpc.health.v1.Health/Check", {{"x-some", field}}));
  Eventually("its fields are counted", [&] { return memory(MemoryKind::kInput) > 5000; });
  client.Send(id, Framed(""), true);
  Publish(&client, Broadcast("behind it"));
  EXPECT_GT(memory(MemoryKind::kInput), 5000) << "while it is served";
  client.Reset(id);
  Eventually("they are forgotten", [&] { return memory(MemoryKind::kInput) == 0; });
}

}  // namespace
}  // namespace crier::testing
