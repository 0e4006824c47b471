#include "client/health.h"

#include <iostream>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/option_parser.h"

namespace crier::cli {

int Health(const std::vector<std::string>& arguments) {
  ConnectFlags flags;
  flags.timeout = absl::Seconds(3);
  OptionParser parser("crier health [options]",
                      "Asks a server whether it is well and says so: by HTTP at /healthcheck, or\n"
                      "by gRPC's health service. For health checks of containers and the like.\n"
                      "Exit codes: 0 it is well, 1 it answers that it is not, 2 usage,\n"
                      "3 nobody answers.");
  parser.Group("Server:");
  parser.Add("url", &flags.url, "URL", "its WebSocket, ws://HOST:PORT/ws; asked by HTTP there");
  parser.Add("grpc", &flags.grpc, "HOST:PORT", "asked by gRPC instead");
  parser.Add("timeout", &flags.timeout, "TIME", "how long to wait for an answer");
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (!positional.empty()) {
    std::cerr << "crier health: unexpected argument \"" << positional[0] << "\"\n";
    return kUsage;
  }
  const absl::Status status = flags.grpc.empty()
                                  ? client::CheckHttpHealth(flags.url, flags.timeout)
                                  : client::CheckGrpcHealth(flags.grpc, flags.timeout);
  if (!status.ok()) return Complain("health", status);
  std::cout << "ok\n";
  return kOk;
}

}  // namespace crier::cli
