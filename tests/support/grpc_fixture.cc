#include "tests/support/grpc_fixture.h"

#include "tests/support/frames.h"

namespace crier::testing {

GrpcTest::~GrpcTest() { StopServer(); }

GrpcClient& GrpcTest::NewClient(const grpc::ChannelArguments& arguments) {
  clients_.push_back(std::make_unique<GrpcClient>(server().addresses(), arguments));
  return *clients_.back();
}

std::unique_ptr<GrpcStream> GrpcTest::ConnectAs(const std::string& user) {
  auto stream = NewClient().Connect(user);
  stream->NextWelcome();
  stream->Send(EmptyHello());
  return stream;
}

std::unique_ptr<GrpcStream> GrpcTest::ConnectAndFollow(const std::string& topic,
                                                       const std::string& user) {
  auto stream = ConnectAs(user);
  stream->Send(Subscribe(topic, "follow"));
  EXPECT_EQ(stream->NextAck().topic(), topic);
  return stream;
}

std::unique_ptr<GrpcStream> GrpcTest::Listen(const v1::SubscribeRequest& request) {
  auto stream = NewClient().Subscribe(request);
  stream->NextWelcome();
  return stream;
}

}  // namespace crier::testing
