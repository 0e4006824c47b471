// Every flag of crierd, checked once.
#ifndef CRIER_SERVER_OPTIONS_H_
#define CRIER_SERVER_OPTIONS_H_

#include <spdlog/common.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/auth_options.h"
#include "server/cluster/cluster_options.h"
#include "server/engine/options.h"
#include "server/flag_help.h"
#include "server/flag_parser.h"
#include "server/grpc/options.h"
#include "server/net/connection_table.h"
#include "server/transport/tls_context.h"
#include "server/websocket/options.h"

namespace crier {

struct ServerOptions {
  // Comma-separated, as Acceptor::Listen takes them. Empty: this transport is off; one of the two
  // is not empty.
  std::string http_listen;
  std::string grpc_listen;
  // Empty: off.
  std::string admin_listen;
  AuthOptions auth;
  ConnectionTable::Limits connections;
  EngineOptions engine;
  ClusterOptions cluster;
  WebSocketOptions websocket;
  GrpcOptions grpc;
  TlsOptions tls;  // of both transports
  // Listen where others can reach the server though something is open (exposure.h).
  bool insecure = false;
  // Only say whether the flags and the files that they name are right.
  bool check_only = false;
  // From the signal to the exit.
  std::chrono::milliseconds drain_time{10'000};
  spdlog::level::level_enum log_level = spdlog::level::info;
};

// Reads the flags, as they are set now. The status is one line that names the flag, its value and
// what would be right; and where `origins` says that it was not given on the command line, where.
absl::StatusOr<ServerOptions> ReadOptions(const FlagOrigins& origins = {});

// Every flag that is listed below, with its value as it is set now; passwords are not shown.
std::vector<std::pair<std::string, std::string>> FlagValues();

// Every flag, by topic.
std::span<const FlagGroup> FlagGroups();

}  // namespace crier

#endif  // CRIER_SERVER_OPTIONS_H_
