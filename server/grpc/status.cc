#include "server/grpc/status.h"

#include <string>

#include "google/rpc/status.pb.h"

namespace crier {

GrpcStatus ToGrpcStatus(const UnaryError& error) {
  GrpcStatus status;
  status.code = error.code;
  status.message = error.message;
  status.retry_after = error.retry_after;
  if (error.details.empty()) return status;
  google::rpc::Status details;
  details.set_code(error.code);
  details.set_message(error.message);
  for (const google::protobuf::Any& detail : error.details) *details.add_details() = detail;
  status.details = details.SerializeAsString();
  return status;
}

GrpcStatus ToGrpcStatus(Outcome outcome, std::string_view detail) {
  if (outcome == Outcome::kOk) return {};
  return ToGrpcStatus(ErrorOf(outcome, detail));
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
