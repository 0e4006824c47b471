#include "server/app.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>

#include "absl/strings/str_cat.h"

namespace crier {
namespace {

using std::chrono::milliseconds;

// Of the drain time, how much the closing of sessions is spread over: the last one, too, needs a
// moment for its close frame.
constexpr int kSpreadPercent = 60;
// What Stop needs where connections are left: each transport is polite for a while and then cuts.
constexpr milliseconds kStopTime{800};

absl::Status WithFlag(const char* flag, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("--", flag, ": ", std::string(status.message())));
}

// Where a client on this machine reaches the first of a server's addresses.
std::string LocalAddress(const std::string& addresses) {
  const std::string first = addresses.substr(0, addresses.find(','));
  const std::string port = first.substr(first.rfind(':'));
  if (first.starts_with("0.0.0.0:")) return "127.0.0.1" + port;
  if (first.starts_with("[::]:")) return "[::1]" + port;
  return first;
}

}  // namespace

App::App(const ServerOptions& options)
    : options_(options),
      metrics_(options_.engine.shards),
      connections_(options_.connections, &metrics_),
      engine_(options_.engine, Clock::Real(), &metrics_),
      websocket_(&engine_, &connections_, options_.websocket),
      grpc_(&engine_, &connections_, options_.grpc) {}

App::~App() { Stop(); }

absl::Status App::Start() {
  // Before any thread of ours starts: a taken port is the most likely reason to give up.
  if (absl::Status status = websocket_.Listen(options_.http_listen); !status.ok()) {
    return WithFlag("http_listen", status);
  }
  if (absl::Status status = grpc_.Listen(options_.grpc_listen); !status.ok()) {
    return WithFlag("grpc_listen", status);
  }
  engine_.Start();
  running_ = true;
  websocket_.Start();
  grpc_.Start();
  // Every loop's and poller's own descriptors are open by now.
  connections_.MeasureAllowance();
  websocket_.SetReady(true);
  grpc_.SetReady(true);
  spdlog::info("{} shards, at most {} connections", engine_.shard_count(), connections_.limit());
  return absl::OkStatus();
}

std::string App::ReadyText() const {
  const std::string http = websocket_.addresses();
  const std::string grpc = grpc_.addresses();
  return absl::StrCat("crierd ", CRIER_VERSION, " ready http=", http, " grpc=", grpc, "\n",  //
                      "WebSocket: python3 -m websockets ws://", LocalAddress(http), "/ws\n",
                      "gRPC:      grpcurl -plaintext ", LocalAddress(grpc), " list\n");
}

void App::Drain() {
  const auto begin = std::chrono::steady_clock::now();
  websocket_.SetReady(false);
  grpc_.SetReady(false);
  websocket_.StopAccepting();
  grpc_.StopAccepting();
  // Shared with the callback, which may come after this function gave up waiting.
  const auto drained = std::make_shared<std::promise<void>>();
  engine_.Drain(options_.drain_time * kSpreadPercent / 100, [drained] { drained->set_value(); });
  const auto deadline =
      begin + std::max(options_.drain_time - kStopTime, options_.drain_time * kSpreadPercent / 100);
  if (drained->get_future().wait_until(deadline) == std::future_status::timeout) {
    spdlog::warn("drain time is over: cutting off {} connections", connections_.size());
  }
}

void App::Stop() {
  if (!running_) return;
  running_ = false;
  grpc_.Stop();
  websocket_.Stop();
  engine_.Stop();
}

}  // namespace crier
