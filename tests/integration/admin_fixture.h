// The real program with its administrators' listener, and calls to it over gRPC and over HTTP.
#ifndef CRIER_TESTS_INTEGRATION_ADMIN_FIXTURE_H_
#define CRIER_TESTS_INTEGRATION_ADMIN_FIXTURE_H_

#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "crier/v1/admin.pb.h"
#include "tests/support/crierd_process.h"
#include "tests/support/grpc_client.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {

enum class Surface { kGrpc, kHttp };

// What became of a call: gRPC's name of the code in Connect's spelling, "ok" where it went well.
struct Result {
  std::string code;
  std::string message;
};

Metadata Authorization(const std::string& token);

class AdminTest : public ::testing::TestWithParam<Surface> {
 protected:
  AdminTest();
  ~AdminTest() override;

  // The server's flags for tokens.
  std::vector<std::string> WithKeys();

  // By GetParam().
  Result Call(const CrierdProcess& crierd, const std::string& method,
              const google::protobuf::Message& request, google::protobuf::Message* response,
              const std::string& token = {}) const;

  // All sessions that the filter names, page by page; none twice.
  std::vector<v1::SessionInfo> ListAll(const CrierdProcess& crierd, const v1::SessionFilter& filter,
                                       uint32_t page_size, int* pages = nullptr) const;

  // Of a session that has its place everywhere: its own message has come back to it.
  static WebSocketClient Connect(const CrierdProcess& crierd, const std::string& user);

  // Waits for it.
  static bool LogHas(CrierdProcess* crierd, std::string_view text);

 private:
  const std::string keys_;
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_INTEGRATION_ADMIN_FIXTURE_H_
