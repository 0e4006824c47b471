#include "server/grpc/status.h"

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace crier {

grpc::Status ToGrpcStatus(Outcome outcome, std::string_view detail) {
  if (outcome == Outcome::kOk) return grpc::Status::OK;
  const OutcomeInfo& info = Info(outcome);
  const std::string message(detail.empty() ? info.text : detail);

  google::rpc::ErrorInfo error_info;
  error_info.set_reason(std::string(info.name));
  error_info.set_domain("crier");
  google::rpc::Status details;
  details.set_code(info.grpc_status);
  details.set_message(message);
  details.add_details()->PackFrom(error_info);
  return grpc::Status(static_cast<grpc::StatusCode>(info.grpc_status), message,
                      details.SerializeAsString());
}

}  // namespace crier
