#include "client/cli/connect.h"

#include <fstream>
#include <iostream>
#include <utility>

#include "client/cli/commands.h"

namespace crier::cli {
namespace {

absl::StatusOr<client::ConnectOptions> WithToken(const ConnectFlags& flags) {
  client::ConnectOptions options = flags.Options();
  absl::StatusOr<std::string> token = ReadTokenFile(flags.token_file);
  if (!token.ok()) return token.status();
  options.token = *std::move(token);
  return options;
}

}  // namespace

client::ConnectOptions ConnectFlags::Options() const {
  client::ConnectOptions options;
  options.user = user;
  options.timeout = timeout;
  options.tls = files;
  options.grpc_tls = tls;
  return options;
}

void AddTlsFlags(ConnectFlags* flags, OptionParser* parser) {
  parser->Add("tls", &flags->tls,
              "speak TLS with the gRPC port; the WebSocket's URL says it itself");
  parser->Add("cacert", &flags->files.ca, "FILE",
              "trust servers whose certificate leads to one in this file, instead of those that "
              "the system trusts");
  parser->Add("cert", &flags->files.certificate, "FILE", "show this certificate");
  parser->Add("key", &flags->files.key, "FILE", "the key of that certificate");
}

void AddConnectFlags(ConnectFlags* flags, OptionParser* parser) {
  parser->Group("Server:");
  parser->Add("url", &flags->url, "URL",
              "connect to this WebSocket, ws://HOST:PORT/ws, or wss:// for TLS");
  parser->Add("grpc", &flags->grpc, "HOST:PORT", "connect to this gRPC port instead");
  parser->Add("user", &flags->user, "USER", "the user to connect as");
  parser->Add("token-file", &flags->token_file, "FILE",
              "a file with the token that a server asks for (see crier token)");
  parser->Add("timeout", &flags->timeout, "TIME",
              "how long to wait for the connection, and for an answer");
  AddTlsFlags(flags, parser);
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

absl::StatusOr<std::string> ReadTokenFile(const std::string& file) {
  std::string token;
  if (file.empty()) return token;
  std::ifstream stream(file);
  if (stream >> token) return token;
  return absl::InvalidArgumentError("--token-file=" + file + ": has no token that can be read");
}

void AddAdminFlags(ConnectFlags* flags, OptionParser* parser) {
  parser->Group("Server:");
  parser->Add("grpc", &flags->grpc, "HOST:PORT", "the server's --admin_listen");
  parser->Add("token-file", &flags->token_file, "FILE",
              "a file with a token that has the claim crier.admin, for a server with keys");
  parser->Add("timeout", &flags->timeout, "TIME", "how long to wait for an answer");
  AddTlsFlags(flags, parser);
}

absl::StatusOr<std::unique_ptr<client::Client>> Connect(const ConnectFlags& flags) {
  const absl::StatusOr<client::ConnectOptions> options = WithToken(flags);
  if (!options.ok()) return options.status();
  return flags.grpc.empty() ? client::ConnectWebSocket(flags.url, *options)
                            : client::ConnectGrpc(flags.grpc, *options);
}

absl::StatusOr<client::AdminClient> ConnectAdmin(const ConnectFlags& flags) {
  const absl::StatusOr<client::ConnectOptions> options = WithToken(flags);
  if (!options.ok()) return options.status();
  return client::AdminClient::Make(flags.grpc, *options);
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
