#include "client/cli/connect.h"

#include <iostream>
#include <utility>

#include "client/cli/commands.h"

namespace crier::cli {

void AddConnectFlags(ConnectFlags* flags, OptionParser* parser) {
  parser->Group("Server:");
  parser->Add("url", &flags->url, "URL", "by WebSocket, at ws://HOST:PORT/ws");
  parser->Add("grpc", &flags->grpc, "HOST:PORT", "by gRPC instead");
  parser->Add("user", &flags->user, "USER", "who to be, where the server does not authenticate");
  parser->Add("timeout", &flags->timeout, "TIME", "how long to wait for a connection or an answer");
}

bool ParseOrExplain(const std::vector<std::string>& arguments, OptionParser* parser,
                    std::vector<std::string>* positional, int* exit_code) {
  absl::StatusOr<std::vector<std::string>> rest = parser->Parse(arguments);
  if (!rest.ok()) {
    std::cerr << "crier: " << rest.status().message() << "\n";
    *exit_code = kUsage;
    return false;
  }
  if (parser->help_wanted()) {
    std::cout << parser->Help();
    *exit_code = kOk;
    return false;
  }
  *positional = *std::move(rest);
  return true;
}

absl::StatusOr<std::unique_ptr<client::Client>> Connect(const ConnectFlags& flags) {
  client::ConnectOptions options;
  options.user = flags.user;
  options.timeout = flags.timeout;
  return flags.grpc.empty() ? client::ConnectWebSocket(flags.url, options)
                            : client::ConnectGrpc(flags.grpc, options);
}

int Complain(std::string_view command, const absl::Status& status) {
  std::cerr << "crier " << command << ": " << status.message() << "\n";
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kResourceExhausted:
      return kUsage;
    case absl::StatusCode::kUnavailable:
      return kCannotConnect;
    default:
      return kRefused;
  }
}

}  // namespace crier::cli
