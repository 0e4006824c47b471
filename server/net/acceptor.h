// Accepts connections for both transports: counts them, caps them, and keeps a reserve of
// descriptors, so that a flood ends in refusals and not in a server that accepts no more.
#ifndef CRIER_SERVER_NET_ACCEPTOR_H_
#define CRIER_SERVER_NET_ACCEPTOR_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/net/connection_table.h"
#include "server/net/listen_address.h"
#include "server/net/unique_fd.h"

namespace crier {

// A connection that was just accepted: non-blocking, close-on-exec, TCP_NODELAY set.
struct AcceptedConnection {
  UniqueFd fd;
  std::string peer;  // the peer's address without its port: "127.0.0.1", "::1"
  // Holds this connection's place in the count until it is destroyed (on any thread).
  ConnectionTable::Place place;
};

// Listens on the addresses of one flag and hands over what it accepts.
//
// Runs on: the thread of the io_context given, but for the constructor and Listen.
class Acceptor {
 public:
  using Handler = absl::AnyInvocable<void(AcceptedConnection)>;
  // What to do with a connection over the cap before it is closed: e.g. write an HTTP 503 with a
  // single non-blocking send. May be null.
  using Refuser = void (*)(int fd);

  // At most so many connections are accepted before other handlers of the thread run.
  static constexpr int kBatch = 64;
  // How long to let the listening sockets be where accepting fails for want of memory or
  // descriptors and the reserve could not help.
  static constexpr std::chrono::milliseconds kRetryDelay{50};

  // `io` and `table` outlive the acceptor. `handler` runs on the thread of `io`.
  Acceptor(boost::asio::io_context& io, ConnectionTable* table, Handler handler,
           Refuser refuser = nullptr);
  // Runs on: the thread of `io`, or any once that has ended.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Binds and listens on a comma-separated list of addresses: "127.0.0.1:8000", "[::1]:0",
  // "localhost:8000", "0.0.0.0:8000", "[::]:8000" (IPv4 too). The status names the address and the
  // reason, for people. Accepting begins with Start.
  absl::Status Listen(std::string_view addresses);

  // The addresses with their real ports, as "127.0.0.1:8000,[::1]:8001". After Listen.
  std::string addresses() const;

  // Begins to accept. Thread-safe.
  void Start();
  // Closes the listening sockets. Runs on: the thread of `io`.
  void Stop();

 private:
  struct Listener {
    boost::asio::posix::stream_descriptor socket;
    boost::asio::steady_timer retry;
    std::string address;  // with its real port
  };
  enum class Step {
    kAccepted,   // there may be more
    kDrained,    // nobody is waiting
    kExhausted,  // somebody is, and can be neither served nor refused for now
  };

  absl::StatusOr<std::unique_ptr<Listener>> Open(const ListenAddress& address);
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
  std::vector<std::unique_ptr<Listener>> listeners_;
  bool stopped_ = false;
  // Given up for a moment to accept, and turn away, who comes when no other descriptor is left.
  UniqueFd reserve_;
  bool exhaustion_logged_ = false;
  // Handlers that come after the destructor see that it is gone.
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_ACCEPTOR_H_
