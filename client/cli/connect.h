// The options that say which server and who, common to send and listen.
#ifndef CRIER_CLIENT_CLI_CONNECT_H_
#define CRIER_CLIENT_CLI_CONNECT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/option_parser.h"
#include "client/client.h"

namespace crier::cli {

struct ConnectFlags {
  std::string url = "ws://127.0.0.1:8000/ws";
  std::string grpc;
  std::string user;
  absl::Duration timeout = absl::Seconds(10);
};

void AddConnectFlags(ConnectFlags* flags, OptionParser* parser);

// Parses and handles --help. True: go on, with what is no option in *positional. False: the command
// is over, with *exit_code.
bool ParseOrExplain(const std::vector<std::string>& arguments, OptionParser* parser,
                    std::vector<std::string>* positional, int* exit_code);

// By gRPC where --grpc was given, else by WebSocket.
absl::StatusOr<std::unique_ptr<client::Client>> Connect(const ConnectFlags& flags);

// Says on one line of standard error what went wrong; returns the exit code for it.
int Complain(std::string_view command, const absl::Status& status);

}  // namespace crier::cli

#endif  // CRIER_CLIENT_CLI_CONNECT_H_
