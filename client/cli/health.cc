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
                      "Asks a server whether it is healthy: by HTTP at /healthcheck, or by gRPC's\n"
                      "health service. Prints ok if it is. Useful as a container's health check.\n"
                      "Exit codes: 0 healthy, 1 the server answers that it is not healthy,\n"
                      "2 wrong usage, 3 nothing answers.");
  parser.Group("Server:");
  parser.Add("url", &flags.url, "URL",
             "address of its WebSocket, ws://HOST:PORT/ws or wss://; HTTP is on the same port");
  parser.Add("grpc", &flags.grpc, "HOST:PORT", "address of its gRPC port; asks there instead");
  parser.Add("timeout", &flags.timeout, "TIME", "how long to wait for an answer");
  AddTlsFlags(&flags, &parser);
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (!positional.empty()) {
    std::cerr << "crier health: unexpected argument \"" << positional[0] << "\"\n";
    return kUsage;
  }
  const absl::Status status = flags.grpc.empty()
                                  ? client::CheckHttpHealth(flags.url, flags.Options())
                                  : client::CheckGrpcHealth(flags.grpc, flags.Options());
  if (!status.ok()) return Complain("health", status);
  std::cout << "ok\n";
  return kOk;
}

}  // namespace crier::cli
