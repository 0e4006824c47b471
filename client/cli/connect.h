// The options for the server and the user, common to send and listen.
#ifndef CRIER_CLIENT_CLI_CONNECT_H_
#define CRIER_CLIENT_CLI_CONNECT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/admin_client.h"
#include "client/cli/option_parser.h"
#include "client/client.h"

namespace crier::cli {

struct ConnectFlags {
  std::string url = "ws://127.0.0.1:8000/ws";
  std::string grpc;
  std::string user;
  std::string token_file;
  absl::Duration timeout = absl::Seconds(10);
  bool tls = false;
  client::TlsFiles files;

  client::ConnectOptions Options() const;
};

// Of TLS alone: --tls, --cacert, --cert, --key.
void AddTlsFlags(ConnectFlags* flags, OptionParser* parser);
void AddConnectFlags(ConnectFlags* flags, OptionParser* parser);
// Of the administrator's port: --grpc, --token-file, --timeout, and those of TLS.
void AddAdminFlags(ConnectFlags* flags, OptionParser* parser);
// Its default.
inline constexpr std::string_view kAdminAddress = "127.0.0.1:50052";

// Parses the options and handles --help. True: continue; *positional has the other arguments.
// False: the command is over, with *exit_code.
bool ParseOrExplain(const std::vector<std::string>& arguments, OptionParser* parser,
                    std::vector<std::string>* positional, int* exit_code);

// The token in a file. From a file, because everybody on the machine can read a command line. ""
// where `file` is empty.
absl::StatusOr<std::string> ReadTokenFile(const std::string& file);

// By gRPC if --grpc was given, else by WebSocket.
absl::StatusOr<std::unique_ptr<client::Client>> Connect(const ConnectFlags& flags);

// To the port of --grpc. Connects with the first call.
absl::StatusOr<client::AdminClient> ConnectAdmin(const ConnectFlags& flags);

// Writes the error as one line to standard error. Returns its exit code.
int Complain(std::string_view command, const absl::Status& status);

}  // namespace crier::cli

#endif  // CRIER_CLIENT_CLI_CONNECT_H_
