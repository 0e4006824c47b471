#include "server/app.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/cluster/cluster_bus.h"
#include "server/engine/memory_return.h"
#include "server/exposure.h"
#include "server/service/messaging_methods.h"

namespace crier {
namespace {

using std::chrono::milliseconds;

// The part of the drain time over which the closing of sessions is spread. It is less than all of
// it, because the last session too needs a moment for its close frame.
constexpr int kSpreadPercent = 60;
// The time that Stop needs if connections are left: each transport first closes them politely and
// then cuts them off.
constexpr milliseconds kStopTime{800};
// A quarter of all: a browser has six, and a tool one or two.
constexpr size_t kAdminConnectionsPerAddress = 16;

absl::Status WithFlag(const char* flag, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("--", flag, ": ", std::string(status.message())));
}

// The address at which a client on this machine reaches the first address of a server.
std::string LocalAddress(const std::string& addresses) {
  const std::string first = addresses.substr(0, addresses.find(','));
  const std::string port = first.substr(first.rfind(':'));
  if (first.starts_with("0.0.0.0:")) return "127.0.0.1" + port;
  if (first.starts_with("[::]:")) return "[::1]" + port;
  return first;
}

// Null: the node is alone.
Engine::MakeBus BusOf(const ClusterOptions& options) {
  if (!options.enabled()) return nullptr;
  return [options](Engine* engine) { return std::make_unique<ClusterBus>(engine, options); };
}

std::vector<std::string> ServersOf(const ClusterOptions& options) {
  std::vector<std::string> names;
  for (const RedisAddress& server : options.url.servers) names.push_back(server.Text());
  return names;
}

UnaryMethods ServedMethods(Engine* engine) {
  UnaryMethods methods;
  AddMessagingMethods(engine, &methods);
  return methods;
}

}  // namespace

App::App(const ServerOptions& options, std::unique_ptr<TlsContext> tls, std::function<void()> drain)
    : options_(options),
      tls_(std::move(tls)),
      started_at_(Clock::Real().WallNanos()),
      metrics_(options_.engine.shards),
      connections_(options_.connections, &metrics_),
      tokens_(options_.auth.rules),
      key_files_(options_.auth.keys, &tokens_),
      engine_(WithAuthenticator(), Clock::Real(), &metrics_, BusOf(options_.cluster)),
      methods_(ServedMethods(&engine_)),
      websocket_(&engine_, &methods_, &connections_, options_.websocket, tls_.get()),
      grpc_(&engine_, &methods_, &connections_, options_.grpc, tls_.get()),
      admin_(&engine_, OptionsOfAdmin(std::move(drain)), tls_.get()) {
  metrics_.SetClusterServers(ServersOf(options_.cluster));
}

App::~App() { Stop(); }

EngineOptions App::WithAuthenticator() const {
  EngineOptions options = options_.engine;
  if (!options_.auth.keys.empty()) {
    options.authenticator = &tokens_;
  } else if (options_.tls.user_from != TlsUserFrom::kNone) {
    options.authenticator = &certificate_users_;
  }
  return options;
}

AdminOptions App::OptionsOfAdmin(std::function<void()> drain) const {
  return {.open = options_.auth.keys.empty(),
          .describe = [this](v1::ServerInfo* info) { Describe(info); },
          .drain = std::move(drain),
          .drain_time = options_.drain_time,
          .max_connections_per_address =
              IsAdminReachedByOthers(options_) ? kAdminConnectionsPerAddress : 0,
          .http = options_.websocket,
          .grpc = options_.grpc};
}

void App::Describe(v1::ServerInfo* info) const {
  info->set_version(CRIER_VERSION);
  constexpr int64_t kNanos = 1'000'000'000;
  info->mutable_started_at()->set_seconds(started_at_ / kNanos);
  info->mutable_started_at()->set_nanos(static_cast<int32_t>(started_at_ % kNanos));
  const int64_t up = std::max<int64_t>(0, Clock::Real().WallNanos() - started_at_);
  info->mutable_uptime()->set_seconds(up / kNanos);
  info->mutable_uptime()->set_nanos(static_cast<int32_t>(up % kNanos));
  info->set_draining(draining_.load(std::memory_order_relaxed));
  info->set_http_listen(websocket_.addresses());
  info->set_grpc_listen(grpc_.addresses());
  info->set_admin_listen(admin_.addresses());
  for (auto& [name, value] : FlagValues()) (*info->mutable_flags())[name] = std::move(value);
  v1::ServerLimits& limits = *info->mutable_limits();
  limits.set_max_connections(connections_.limit());
  limits.set_max_connections_per_address(options_.connections.per_address);
  limits.set_max_body_bytes(options_.engine.max_body_bytes);
  limits.set_max_topics(options_.engine.max_topics);
  limits.set_max_topics_per_session(options_.engine.max_topics_per_session);
  limits.set_max_messages_per_second(options_.engine.max_messages_per_second);
  limits.set_memory_budget(options_.engine.memory_budget);
}

absl::Status App::Start() {
  const bool admin = !options_.admin_listen.empty();
  const bool http = !options_.http_listen.empty();
  const bool grpc = !options_.grpc_listen.empty();
  if (!options_.auth.keys.empty()) {
    if (absl::Status status = key_files_.Load(); !status.ok()) return status;
  }
  // Before any thread of ours starts: a taken port is the most likely reason to give up.
  if (http) {
    if (absl::Status status = websocket_.Listen(options_.http_listen); !status.ok()) {
      return WithFlag("http_listen", status);
    }
  }
  if (grpc) {
    if (absl::Status status = grpc_.Listen(options_.grpc_listen); !status.ok()) {
      return WithFlag("grpc_listen", status);
    }
  }
  if (admin) {
    if (absl::Status status = admin_.Listen(options_.admin_listen); !status.ok()) {
      return WithFlag("admin_listen", status);
    }
  }
  engine_.Start();
  running_ = true;
  if (options_.cluster.enabled()) {
    if (absl::Status status = AwaitCluster(); !status.ok()) return status;
  }
  if (http) {
    if (absl::Status status = websocket_.Start(); !status.ok()) return status;
  }
  if (grpc) {
    if (absl::Status status = grpc_.Start(); !status.ok()) return status;
  }
  if (admin) {
    if (absl::Status status = admin_.Start(); !status.ok()) return status;
  }
  ReturnMemory();
  // Every loop's and poller's own descriptors are open by now.
  connections_.MeasureAllowance();
  SetReady(true);
  if (options_.cluster.readiness) FollowCluster();
  LogStart();
  return absl::OkStatus();
}

void App::SetReady(bool ready) {
  websocket_.SetReady(ready);
  grpc_.SetReady(ready);
  admin_.SetReady(ready);
}

absl::Status App::AwaitCluster() {
  constexpr milliseconds kBetweenLooks{10};
  const auto deadline = std::chrono::steady_clock::now() + options_.cluster.start_timeout;
  while (true) {
    // The topic that everyone follows has its place on each shard.
    size_t begun = 0;
    for (size_t i = 0; i < engine_.shard_count(); ++i) {
      std::promise<bool> answer;
      Shard& shard = engine_.shard(i);
      shard.Post([&] { answer.set_value(shard.feeds().empty_topic().started()); });
      begun += answer.get_future().get() ? 1 : 0;
    }
    if (begun == engine_.shard_count() && metrics_.IsClusterConnected()) return absl::OkStatus();
    if (std::chrono::steady_clock::now() > deadline) break;
    // Only at the start, and on a thread that has nothing else to do.
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return absl::UnavailableError(absl::StrCat(
      "--cluster_url: no use of ", absl::StrJoin(ServersOf(options_.cluster), ", "), " within ",
      options_.cluster.start_timeout.count() / 1000, " s; the log says why"));
}

void App::FollowCluster() {
  engine_.shard(0).Post([this] {
    engine_.shard(0).AddTicker([this, was = true](TimePoint) mutable {
      const bool is = metrics_.IsClusterConnected();
      if (is == was || draining_.load(std::memory_order_relaxed)) return;
      was = is;
      SetReady(is);
    });
  });
}

void App::Reload() {
  if (tls_ != nullptr) ReloadTls();
  if (!options_.auth.keys.empty()) key_files_.Reload();
  if (reads_files()) return;
  // What service managers send after a change of the configuration. It would kill by default.
  spdlog::info(
      "SIGHUP: nothing to read again: flags are read at the start, and no file stays open");
}

void App::ReloadChanged() {
  if (tls_ != nullptr && tls_->FilesChanged()) ReloadTls();
  if (!options_.auth.keys.empty()) key_files_.ReloadIfChanged();
}

void App::ReloadTls() {
  if (const absl::Status status = tls_->Reload(); status.ok()) {
    spdlog::info("read again: --tls_cert={}", options_.tls.cert_file);
  } else {
    spdlog::error("the certificate stays as it was: {}", std::string(status.message()));
  }
}

void App::ReturnMemory() {
  engine_.shard(0).Post([this] {
    engine_.shard(0).AddTicker([memory = MemoryReturn(&engine_.memory())](TimePoint now) mutable {
      if (memory.IsDue(now)) MemoryReturn::Trim();
    });
  });
}

void App::LogStart() const {
  const size_t asked = options_.connections.total;
  const size_t most = connections_.limit();
  const size_t descriptors = ConnectionTable::DescriptorLimit();
  if (asked == most) {
    spdlog::info("{} shards, at most {} connections (--max_sessions)", engine_.shard_count(), most);
  } else {
    spdlog::info("{} shards, at most {} connections (the limit of open files is {})",
                 engine_.shard_count(), most, descriptors);
  }
  if (asked > most) {
    spdlog::warn(
        "--max_sessions={} is more than the limit of open files allows; raise that limit "
        "(ulimit -Hn)",
        asked);
  }
  if (!websocket_.addresses().empty()) {
    spdlog::info("console: {}://{}/", tls_ == nullptr ? "http" : "https",
                 LocalAddress(websocket_.addresses()));
  }
}

std::string App::ReadyText() const {
  const std::string http = websocket_.addresses();
  const std::string grpc = grpc_.addresses();
  std::string text = absl::StrCat("crierd ", CRIER_VERSION, " ready");
  if (!http.empty()) absl::StrAppend(&text, " http=", http);
  if (!grpc.empty()) absl::StrAppend(&text, " grpc=", grpc);
  if (const std::string admin = admin_.addresses(); !admin.empty()) {
    absl::StrAppend(&text, " admin=", admin);
  }
  text += '\n';
  if (!http.empty()) {
    absl::StrAppend(&text, "WebSocket: python3 -m websockets ", tls_ == nullptr ? "ws" : "wss",
                    "://", LocalAddress(http), "/ws\n");
  }
  if (!grpc.empty()) {
    absl::StrAppend(&text, "gRPC:      grpcurl ", tls_ == nullptr ? "-plaintext " : "",
                    LocalAddress(grpc), " list\n");
  }
  return text;
}

void App::Drain() {
  const auto begin = std::chrono::steady_clock::now();
  draining_.store(true, std::memory_order_relaxed);
  SetReady(false);
  websocket_.StopSessions();
  grpc_.StopAccepting();
  // Shared with the callback, which may run after this function has stopped waiting.
  const auto drained = std::make_shared<std::promise<void>>();
  engine_.Drain(options_.drain_time * kSpreadPercent / 100, [drained] { drained->set_value(); });
  const auto deadline =
      begin + std::max(options_.drain_time - kStopTime, options_.drain_time * kSpreadPercent / 100);
  if (drained->get_future().wait_until(deadline) == std::future_status::timeout) {
    spdlog::warn("the drain time is over: closing {} connections that are still open",
                 connections_.size());
  }
}

void App::Stop() {
  if (!running_) return;
  running_ = false;
  grpc_.Stop();
  websocket_.Stop();
  admin_.Stop();
  engine_.Stop();
}

}  // namespace crier
