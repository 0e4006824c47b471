// A connection that was just accepted from a proxy, until it has said for whom it stands (the PROXY
// protocol).
#ifndef CRIER_SERVER_NET_PROXY_GREETING_H_
#define CRIER_SERVER_NET_PROXY_GREETING_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "server/net/connection_table.h"
#include "server/net/unique_fd.h"

namespace crier {

// Reads the header, and not a byte of what is behind it.
//
// Runs on: the thread of the io_context given.
class ProxyGreeting {
 public:
  enum class End {
    kRead,     // `client` is known, or empty where the proxy speaks for itself
    kRefused,  // `client` says what is wrong with the header
    kGone,     // it ended, or took too long
  };
  // Destroys the greeting, or has it destroyed, after it has taken the socket (Release).
  using Handler = absl::AnyInvocable<void(End end, std::string client)>;

  // `io` outlives the greeting.
  ProxyGreeting(boost::asio::io_context& io, UniqueFd fd, std::chrono::milliseconds timeout,
                Handler handler);
  ProxyGreeting(const ProxyGreeting&) = delete;
  ProxyGreeting& operator=(const ProxyGreeting&) = delete;

  void Start();
  UniqueFd Release() { return UniqueFd(socket_.release()); }

 private:
  void Wait();
  void Read();
  void Finish(End end, std::string client);

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer deadline_;
  const std::chrono::milliseconds timeout_;
  Handler handler_;
  std::string header_;  // what was read of it
  // Tells handlers that run after the destructor that this object is gone.
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_PROXY_GREETING_H_
