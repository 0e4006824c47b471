#include "client/health.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "client/address.h"
#include "client/tcp_connection.h"
#include "client/text.h"
#include "grpc/health/v1/health.pb.h"

namespace crier::client {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr size_t kMaxAnswer = 16 * 1024;

// The bytes that the server sends until it ends the connection.
absl::StatusOr<std::string> Get(const WebSocketUrl& url, std::string_view path, const TlsFiles& tls,
                                absl::Time deadline) {
  absl::StatusOr<TcpConnection> connection =
      TcpConnection::Connect(url.host, url.port, deadline, kHttpListen);
  if (!connection.ok()) return connection.status();
  if (url.tls) {
    const absl::Status status = connection->StartTls(tls, url.host, deadline);
    if (!status.ok()) return status;
  }
  const std::string request =
      Concat("GET ", path, " HTTP/1.1\r\nHost: ", url.host_header, "\r\nConnection: close\r\n\r\n");
  // A full server answers and closes without reading the request. Its answer can still be read.
  connection->Write(request, deadline).IgnoreError();
  std::string answer;
  absl::Status status;
  while (status.ok() && answer.size() < kMaxAnswer) status = connection->Read(&answer, deadline);
  if (!answer.empty()) return answer;
  return absl::UnavailableError(
      Concat(JoinHostAndPort(url.host, url.port), " does not answer: ", status.message()));
}

}  // namespace

absl::Status CheckHttpHealth(std::string_view url, const ConnectOptions& options) {
  const absl::StatusOr<WebSocketUrl> target = ParseWebSocketUrl(url);
  if (!target.ok()) return target.status();
  const absl::StatusOr<std::string> answer =
      Get(*target, "/healthcheck", options.tls, absl::Now() + options.timeout);
  if (!answer.ok()) return answer.status();
  const std::string line = answer->substr(0, answer->find("\r\n"));
  for (const std::string_view healthy : {"HTTP/1.1 200 ", "HTTP/1.1 429 ", "HTTP/1.1 503 "}) {
    if (line.starts_with(healthy)) return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      Concat("/healthcheck is answered with \"", line, "\"; is it a crier?"));
}

absl::Status CheckGrpcHealth(const std::string& address, const ConnectOptions& options) {
  const absl::StatusOr<HostAndPort> target = ParseHostAndPort(address);
  if (!target.ok()) return target.status();
  const auto credentials = GrpcCredentials(options.grpc_tls, options.tls);
  if (!credentials.ok()) return credentials.status();
  grpc::TemplatedGenericStub<HealthCheckRequest, HealthCheckResponse> stub(
      grpc::CreateChannel(address, *credentials));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
  const HealthCheckRequest request;
  HealthCheckResponse response;
  grpc::Status status;
  absl::Notification done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &response,
                 [&](grpc::Status answer) {
                   status = std::move(answer);
                   done.Notify();
                 });
  done.WaitForNotification();  // The call has the deadline.
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      break;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return WhyNoSession(
          target->host, target->port, kGrpcListen,
          absl::UnavailableError(Concat(address, " does not answer: ", status.error_message())));
    default:
      return absl::FailedPreconditionError(
          Concat("the health check is refused: ", status.error_message()));
  }
  if (response.status() == HealthCheckResponse::SERVING) return absl::OkStatus();
  return absl::FailedPreconditionError(
      Concat("it answers, but is ", HealthCheckResponse::ServingStatus_Name(response.status())));
}

}  // namespace crier::client
