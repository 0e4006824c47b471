#include "server/grpc/status.h"

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace crier {

GrpcStatus ToGrpcStatus(Outcome outcome, std::string_view detail) {
  GrpcStatus status;
  if (outcome == Outcome::kOk) return status;
  const OutcomeInfo& info = Info(outcome);
  status.code = info.grpc_status;
  status.message = detail.empty() ? info.text : detail;

  google::rpc::ErrorInfo error_info;
  error_info.set_reason(std::string(info.name));
  error_info.set_domain("crier");
  google::rpc::Status details;
  details.set_code(status.code);
  details.set_message(status.message);
  details.add_details()->PackFrom(error_info);
  status.details = details.SerializeAsString();
  return status;
}

std::string PercentEncoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7E && c != '%') {
      encoded += c;
    } else {
      encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return encoded;
}

}  // namespace crier
