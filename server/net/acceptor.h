// Accepts connections for both transports. Counts and limits them, and keeps a reserve of
// descriptors: in a flood, the server refuses connections but never stops accepting.
#ifndef CRIER_SERVER_NET_ACCEPTOR_H_
#define CRIER_SERVER_NET_ACCEPTOR_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/log_limit.h"
#include "server/net/connection_table.h"
#include "server/net/listen_address.h"
#include "server/net/proxy_greeting.h"
#include "server/net/unique_fd.h"

namespace crier {

// A connection that was just accepted: non-blocking, close-on-exec, TCP_NODELAY set.
struct AcceptedConnection {
  UniqueFd fd;
  std::string peer;  // the peer's address without its port: "127.0.0.1", "::1"
  // Holds this connection's place in the count until it is destroyed (on any thread).
  ConnectionTable::Place place;
};

// Listens on the addresses of one flag and hands over the connections.
//
// Runs on: the thread of the io_context given, except the constructor and Listen.
class Acceptor {
 public:
  using Handler = absl::AnyInvocable<void(AcceptedConnection)>;
  // Called for a connection over a limit before it is closed, e.g. to write an HTTP 503 with a
  // single non-blocking send. May be null.
  using Refuser = void (*)(int fd, RefusalKind why);

  // The most connections that are accepted before other handlers of the thread run.
  static constexpr int kBatch = 64;
  // How long the acceptor waits if accepting fails for lack of memory or descriptors and the
  // reserve did not help.
  static constexpr std::chrono::milliseconds kRetryDelay{50};

  // `io` and `table` outlive the acceptor. `handler` runs on the thread of `io`. `use_reserve`: it
  // also gets connections beyond the limit, in places of the reserve
  // (ConnectionTable::EnterReserve).
  Acceptor(boost::asio::io_context& io, ConnectionTable* table, Handler handler,
           Refuser refuser = nullptr, bool use_reserve = false);
  // Runs on: the thread of `io`, or any thread after that one has ended.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Binds and listens on a comma-separated list of addresses: "127.0.0.1:8000", "[::1]:0",
  // "localhost:8000", "0.0.0.0:8000", "[::]:8000" (IPv4 too). A name stands for all of its
  // addresses (see OpenListenSockets). The status names the address and the reason, for people.
  // Accepting begins with Start.
  absl::Status Listen(std::string_view addresses);

  // The addresses with their real ports, as "127.0.0.1:8000,[::1]:8001". Call after Listen.
  std::string addresses() const;
  // Only this machine itself can connect. Call after Listen.
  bool loopback_only() const;

  // Who connects from a trusted proxy has to begin with a header of the PROXY protocol, within this
  // time. Its client is the peer then. Call before Start.
  void ExpectProxyHeaders(std::chrono::milliseconds timeout) { proxy_header_timeout_ = timeout; }
  // Begins to accept. Thread-safe.
  void Start();
  // Closes the listening sockets. Runs on: the thread of `io`.
  void Stop();

 private:
  struct Listener {
    boost::asio::posix::stream_descriptor socket;
    boost::asio::steady_timer retry;
    SocketAddress address;  // with its real port
  };
  enum class Step {
    kAccepted,   // there may be more
    kDrained,    // nobody is waiting
    kExhausted,  // a client waits, and can neither be served nor refused now
  };

  // A connection of a proxy that has not said yet for whom it stands.
  struct Greeted {
    std::string peer;
    ConnectionTable::Place place;
    std::optional<ProxyGreeting> greeting;
  };

  void Greet(UniqueFd fd, std::string peer, ConnectionTable::Place place);
  void OnGreeted(std::list<Greeted>::iterator greeted, ProxyGreeting::End end, std::string client);
  void HandOver(UniqueFd fd, std::string peer, ConnectionTable::Place place);
  void Wait(Listener* listener);
  void AcceptBatch(Listener* listener);
  Step AcceptOne(int listener_fd);
  Step RefuseWithReserve(int listener_fd);
  void RetryLater(Listener* listener);
  void OpenReserve();

  boost::asio::io_context& io_;
  ConnectionTable* const table_;
  Handler handler_;
  const Refuser refuser_;
  const bool use_reserve_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  bool stopped_ = false;
  std::optional<std::chrono::milliseconds> proxy_header_timeout_;
  std::list<Greeted> greeted_;
  LogLimit wrong_headers_;
  // A spare descriptor. If no other is left, it is released to accept a client and refuse it.
  UniqueFd reserve_;
  bool exhaustion_logged_ = false;
  // Tells handlers that run after the destructor that this object is gone.
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_ACCEPTOR_H_
