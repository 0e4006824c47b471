// The server of grpc_server_fixture.h, and clients of gRPC's own library.
#ifndef CRIER_TESTS_SUPPORT_GRPC_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_GRPC_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/support/grpc_client.h"
#include "tests/support/grpc_server_fixture.h"

namespace crier::testing {

class GrpcTest : public GrpcServerTest {
 protected:
  // Stops the server, if the test has not, while the clients are still there.
  ~GrpcTest() override;

  // A client on a connection of its own; lives as long as the test.
  GrpcClient& NewClient(const grpc::ChannelArguments& arguments = {});

  // Sessions on connections of their own, that have had their welcome. `user`: empty: none.
  std::unique_ptr<GrpcStream> ConnectAs(const std::string& user);
  std::unique_ptr<GrpcStream> Connect() { return ConnectAs(""); }
  // The same, following a topic.
  std::unique_ptr<GrpcStream> ConnectAndFollow(const std::string& topic,
                                               const std::string& user = "");
  std::unique_ptr<GrpcStream> Listen(const v1::SubscribeRequest& request);

 private:
  std::vector<std::unique_ptr<GrpcClient>> clients_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_GRPC_FIXTURE_H_
