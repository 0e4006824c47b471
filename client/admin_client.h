// Calls of crier.v1.Admin.
#ifndef CRIER_CLIENT_ADMIN_CLIENT_H_
#define CRIER_CLIENT_ADMIN_CLIENT_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/client.h"

namespace crier::client {

// Runs on: one thread.
class AdminClient {
 public:
  // Connects with the first call. INVALID_ARGUMENT: the address, or a file of TLS.
  static absl::StatusOr<AdminClient> Make(const std::string& address,
                                          const ConnectOptions& options);

  // A method by its name: ListSessions, list-sessions, listsessions. Null: there is none.
  static const google::protobuf::MethodDescriptor* Find(std::string_view name);
  // "GetServerInfo, ListSessions, ...".
  static std::string MethodNames();

  // Calls it. `on_response` is called for each response: false ends the call. A unary call has the
  // options' timeout. UNAVAILABLE: nothing answers; else the server's own status.
  absl::Status Call(const google::protobuf::MethodDescriptor& method,
                    const google::protobuf::Message& request,
                    const std::function<bool(const google::protobuf::Message&)>& on_response);
  // A unary call, by name. REQUIRES: *response is of the method's type.
  absl::Status Call(std::string_view name, const google::protobuf::Message& request,
                    google::protobuf::Message* response);

 private:
  AdminClient() = default;

  std::string host_;
  std::string port_;
  std::string token_;
  absl::Duration timeout_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace crier::client

#endif  // CRIER_CLIENT_ADMIN_CLIENT_H_
