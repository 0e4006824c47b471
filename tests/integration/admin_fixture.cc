#include "tests/integration/admin_fixture.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/support/loopback.h"
#include "tests/support/tokens.h"

namespace crier::testing {
namespace {

using ::testing::HasSubstr;

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

Result CallByGrpc(const CrierdProcess& crierd, const std::string& method,
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

Result CallByHttp(const CrierdProcess& crierd, const std::string& method,
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

}  // namespace

Metadata Authorization(const std::string& token) {
  return token.empty() ? Metadata{} : Metadata{{"authorization", "Bearer " + token}};
}

AdminTest::AdminTest()
    : keys_(::testing::TempDir() + "crier_admin_test_" + std::to_string(::getpid())) {}

AdminTest::~AdminTest() { std::filesystem::remove(keys_); }

std::vector<std::string> AdminTest::WithKeys() {
  std::ofstream(keys_, std::ios::binary) << kTestSecret;
  return {"--auth_keys=" + keys_};
}

Result AdminTest::Call(const CrierdProcess& crierd, const std::string& method,
                       const google::protobuf::Message& request,
                       google::protobuf::Message* response, const std::string& token) const {
  return GetParam() == Surface::kGrpc ? CallByGrpc(crierd, method, request, token, response)
                                      : CallByHttp(crierd, method, request, token, response);
}

std::vector<v1::SessionInfo> AdminTest::ListAll(const CrierdProcess& crierd,
                                                const v1::SessionFilter& filter, uint32_t page_size,
                                                int* pages) const {
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

WebSocketClient AdminTest::Connect(const CrierdProcess& crierd, const std::string& user) {
  WebSocketClient client(crierd.http(),
                         WebSocketClient::Options{.target = "/ws?user_id=" + user, .headers = {}});
  EXPECT_EQ(client.status(), 101);
  client.SendText(R"({"action_type":"direct","body":"here"})");
  EXPECT_THAT(client.ReadText(), HasSubstr("here"));
  return client;
}

bool AdminTest::LogHas(CrierdProcess* crierd, std::string_view text) {
  return crierd->WaitUntil([&] { return crierd->err().find(text) != std::string::npos; });
}

}  // namespace crier::testing
