#include "server/grpc/violations.h"

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

#include "server/net/listen_address.h"

namespace crier {
namespace {

// In the order of the enum.
constexpr std::array<std::string_view, kGrpcViolationCount> kTexts = {
    "what its connection keeps is over the limit; a call, or the connection, was ended",
    "it makes answers such as RST_STREAM and does not read them; the connection was closed",
    "it sends PING or SETTINGS and does not read the answers; the connection was closed",
    "a header block comes in too many CONTINUATION frames; the connection was closed",
    "its metadata is over the limit; the call was ended",
    "it cancels calls too fast; the connection was closed",
    "it sends pings too often; the connection was closed",
    "it has not taken an answer in time; the call was cut off",
    "it sends more than flow control allows; the call, or the connection, was ended",
};

}  // namespace

void Violations::Note(GrpcViolation violation, int fd, TimePoint now) {
  const auto kind = static_cast<size_t>(violation);
  metrics_.grpc_violations[kind].Add();
  const auto left_out = logs_[kind].Admit(now);
  if (!left_out.has_value()) return;
  const std::string more =
      *left_out == 0 ? "" : " (" + std::to_string(*left_out) + " more like it)";
  spdlog::warn("gRPC client {}: {}{}", PeerHostOf(fd), kTexts[kind], more);
}

}  // namespace crier
