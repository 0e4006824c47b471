#include "tests/conformance/method_server.h"

#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace crier::testing {
namespace {

EngineOptions OneShard() {
  EngineOptions options;
  options.shards = 1;
  return options;
}

sigset_t Stopping() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

MethodServer::MethodServer(const Options& options, UnaryMethods unary)
    : engine_options_(OneShard()),
      metrics_(1),
      engine_(engine_options_, Clock::Real(), &metrics_),
      unary_(std::move(unary)),
      table_({}),
      server_(&engine_, &unary_, &table_, options.grpc),
      http_(&engine_, &unary_, &table_, options.http) {}

MethodServer::~MethodServer() {
  server_.Stop();
  http_.Stop();
  engine_.Stop();
}

absl::Status MethodServer::Start(int port) {
  if (absl::Status status = server_.Listen(absl::StrCat("127.0.0.1:", port)); !status.ok()) {
    return status;
  }
  engine_.Start();
  return server_.Start();
}

absl::Status MethodServer::StartHttp(int port) {
  if (absl::Status status = http_.Listen(absl::StrCat("127.0.0.1:", port)); !status.ok()) {
    return status;
  }
  engine_.Start();
  return http_.Start();
}

int MethodServer::port() const {
  const std::string address = server_.addresses() + http_.addresses();  // one of them
  return std::stoi(address.substr(address.rfind(':') + 1));
}

void After(Call* call, std::chrono::milliseconds delay, std::function<void()> action) {
  // Runs on: shard thread
  auto timer = std::make_shared<boost::asio::steady_timer>(call->shard().io(), delay);
  timer->async_wait([timer, call = call->shared_from_this(),
                     action = std::move(action)](const boost::system::error_code& error) {
    if (error || call->over() || call->finishing()) return;
    call->Guard(action);
  });
}

void HoldSignals() {
  const sigset_t signals = Stopping();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void WaitForSignal() {
  const sigset_t signals = Stopping();
  int signal = 0;
  ::sigwait(&signals, &signal);
}

}  // namespace crier::testing
