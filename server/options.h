// Every flag of crierd, checked once.
#ifndef CRIER_SERVER_OPTIONS_H_
#define CRIER_SERVER_OPTIONS_H_

#include <spdlog/common.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/engine/options.h"
#include "server/grpc/options.h"
#include "server/net/connection_table.h"
#include "server/websocket/options.h"

namespace crier {

struct ServerOptions {
  // Comma-separated, as Acceptor::Listen takes them.
  std::string http_listen;
  std::string grpc_listen;
  ConnectionTable::Limits connections;
  EngineOptions engine;
  WebSocketOptions websocket;
  GrpcOptions grpc;
  // From the signal to the exit.
  std::chrono::milliseconds drain_time{10'000};
  spdlog::level::level_enum log_level = spdlog::level::info;
};

// Reads the flags, as they are set now. The status is one line that names the flag, its value and
// what would be right.
absl::StatusOr<ServerOptions> ReadOptions();

// How --help shows a flag. Its default and its text are the flag's own.
struct FlagHelp {
  std::string_view name;
  std::string_view value;    // what stands for its value: "N", "SIZE"; empty: a switch
  std::string_view example;  // what a value has to look like, for people
};
struct FlagGroup {
  std::string_view title;
  std::span<const FlagHelp> flags;
};

// Every flag that options.cc defines, by topic.
std::span<const FlagGroup> FlagGroups();

}  // namespace crier

#endif  // CRIER_SERVER_OPTIONS_H_
