// Whatever comes in over a connection of the HTTP port, cut wherever: whole answers or none, and
// nothing is kept once the connection is gone.
//
// The first byte chooses the rules of the server, the second how what follows is cut. The server is
// real, with one shard that this thread drives, and has a socket pair.
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/net/address_blocks.h"
#include "server/net/connection_table.h"
#include "server/service/messaging_methods.h"
#include "server/websocket/http_connection.h"
#include "server/websocket/shard_connections.h"
#include "tests/fuzz/driven_engine.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace crier;        // NOLINT: a program of one file
using namespace crier::fuzz;  // NOLINT

WebSocketOptions Rules(bool strict) {
  WebSocketOptions options;
  options.compression = strict;
  options.enable_echo = !strict;
  if (strict) options.allowed_hosts = *HostRules::Parse("chat.example.org");
  options.allowed_origins = *OriginRules::Parse("https://*.example.org");
  return options;
}

class Server : public DrivenEngine {
 public:
  explicit Server(bool strict) : context_{.options = Rules(strict)} {
    AddMessagingMethods(&engine(), &methods_);
    context_.methods = &methods_;
    context_.trusted_proxies = &proxies_;
    context_.loopback_only = strict;
    context_.ready = true;
    Require(connections_.Start(/*io_uring=*/false).ok());
    shard().AddTicker([this](TimePoint now) { connections_.Tick(now); });
    shard().AfterWakes([this] { connections_.AfterWakes(); });
  }

  void Accept(UniqueFd fd) {
    auto place = table_.Enter("10.0.0.1");
    Require(place.has_value());
    HttpConnection::Start(&connections_, &context_,
                          {.fd = std::move(fd), .peer = "10.0.0.1", .place = std::move(*place)});
  }
  int64_t kept() { return DrivenEngine::kept({MemoryKind::kInput, MemoryKind::kOutput}); }
  size_t connections() const { return connections_.size(); }

 private:
  ConnectionTable table_{{}};
  UnaryMethods methods_;
  const AddressBlocks proxies_ = *AddressBlocks::Parse("10.0.0.0/8");
  WebSocketContext context_;
  ShardConnections connections_{&shard()};
};

// What an HTTP server may send first, if it sends anything.
void CheckBegin(std::string_view received) {
  constexpr std::string_view kBegin = "HTTP/1.";
  Require(received.substr(0, kBegin.size()) == kBegin.substr(0, received.size()));
}

void Run(Server* server, FuzzInput input) {
  int fds[2];
  Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
  UniqueFd fd(fds[0]);
  server->Accept(UniqueFd(fds[1]));

  std::string received;
  const auto read = [&] {
    std::array<char, 65'536> buffer;
    ssize_t count;
    while ((count = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0) {
      if (received.size() < 16) received.append(buffer.data(), static_cast<size_t>(count));
    }
    CheckBegin(received.substr(0, 16));
  };
  const size_t most = 1 + size_t{input.Byte()} * 16;
  std::string_view bytes = input.Rest();
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd.get(), bytes.data(), std::min(most, bytes.size()), MSG_NOSIGNAL);
    if (sent <= 0) break;  // the server has closed it, or waits for its client to read
    bytes.remove_prefix(static_cast<size_t>(sent));
    server->Poll();
    read();
    Require(server->kept() < 8 << 20);
  }
  fd.reset();
  // One that the server has closed itself lingers for a while.
  server->Pass(std::chrono::seconds(12));
  Require(server->kept() == 0);
  Require(server->sessions(TransportKind::kWebSocket) == 0);
  Require(server->connections() == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Server* const open = new Server(false);
  static Server* const strict = new Server(true);
  FuzzInput input(data, size);
  Run(input.Byte() % 2 == 0 ? open : strict, input);
  return 0;
}
