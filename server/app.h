// The server: owns every part, starts them in order, stops them in reverse.
#ifndef CRIER_SERVER_APP_H_
#define CRIER_SERVER_APP_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/admin/admin_server.h"
#include "server/auth/certificate_users.h"
#include "server/auth/key_files.h"
#include "server/auth/token_verifier.h"
#include "server/engine/engine.h"
#include "server/grpc/grpc_server.h"
#include "server/metrics/metrics.h"
#include "server/net/connection_table.h"
#include "server/options.h"
#include "server/service/unary_methods.h"
#include "server/websocket/websocket_server.h"

namespace crier {

// Runs on: one thread that is no shard's, the one that made it. To be made after signals are
// blocked, since its threads take over the mask.
class App {
 public:
  // `tls`: null where there is none. Throws where the system gives the shards' loops no
  // descriptors.
  // `drain`: what an administrator's call of Drain does: makes the App's owner call Drain and Stop,
  // soon. Thread-safe.
  App(const ServerOptions& options, std::unique_ptr<TlsContext> tls, std::function<void()> drain);
  // Stops first, if it was started.
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // All ports answer, and every shard serves both, when it returns OK. Else the status names the
  // flag and the address, or the shard, and the reason, in one line for people. Throws where the
  // system gives no threads. Once.
  absl::Status Start();

  // The line that scripts wait for, "crierd VERSION ready http=ADDR grpc=ADDR admin=ADDR", and a
  // line for each transport on how to try it. A transport that is off is left out. After Start.
  std::string ReadyText() const;

  // Files that are read again: those with certificates and keys. Reload: all of them, as SIGHUP
  // asks for; the log says what came of it, and a file that is wrong changes nothing.
  // ReloadChanged: where one has changed; to be called now and then, while reads_files().
  bool reads_files() const { return tls_ != nullptr || !options_.auth.keys.empty(); }
  void Reload();
  void ReloadChanged();

  // Stops accepting, tells every session its own reconnect slot, and closes the sessions one after
  // the other over most of the drain time. Returns as soon as no session is left, or when Stop
  // needs the rest of the drain time. Call once, after Start.
  void Drain();

  // Ends all threads, and with them what is still open.
  void Stop();

 private:
  void LogStart() const;
  // Waits until the cluster's servers have answered. Says which have not.
  absl::Status AwaitCluster();
  // Readiness follows the cluster's servers from now on.
  void FollowCluster();
  void SetReady(bool ready);
  void ReloadTls();
  // Freed memory goes back to the system from now on.
  void ReturnMemory();

  EngineOptions WithAuthenticator() const;
  AdminOptions OptionsOfAdmin(std::function<void()> drain) const;
  void Describe(v1::ServerInfo* info) const;

  const ServerOptions options_;
  const std::unique_ptr<TlsContext> tls_;
  const int64_t started_at_;  // nanoseconds since 1970
  std::atomic<bool> draining_{false};
  // Each member uses those above it, so the order matters.
  Metrics metrics_;
  ConnectionTable connections_;
  TokenVerifier tokens_;
  CertificateUsers certificate_users_;
  KeyFiles key_files_;
  Engine engine_;
  UnaryMethods methods_;
  WebSocketServer websocket_;
  GrpcServer grpc_;
  AdminServer admin_;
  bool running_ = false;
};

}  // namespace crier

#endif  // CRIER_SERVER_APP_H_
