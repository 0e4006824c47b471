// A connection whose client has not shown yet what it speaks.
#ifndef CRIER_SERVER_ADMIN_PROTOCOL_CHOICE_H_
#define CRIER_SERVER_ADMIN_PROTOCOL_CHOICE_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "server/admin/spoken_protocol.h"
#include "server/net/acceptor.h"

namespace crier {

// Looks at the first bytes and leaves them where they are.
//
// Runs on: the thread of the io_context given.
class ProtocolChoice {
 public:
  // `spoken` kNotYet: the client has left, or has taken too long. The handler may destroy the
  // choice, once it has taken the connection (Release).
  using Handler = absl::AnyInvocable<void(SpokenProtocol spoken)>;

  // `io` outlives this object.
  ProtocolChoice(boost::asio::io_context& io, AcceptedConnection accepted, bool tls,
                 std::chrono::milliseconds timeout, Handler handler);
  ProtocolChoice(const ProtocolChoice&) = delete;
  ProtocolChoice& operator=(const ProtocolChoice&) = delete;

  void Start();
  AcceptedConnection Release();

 private:
  void Wait();
  void Look();
  void Finish(SpokenProtocol spoken);

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer deadline_;
  // Where a part has come: until more is there.
  boost::asio::steady_timer again_;
  AcceptedConnection accepted_;  // without its descriptor
  const bool tls_;
  const std::chrono::milliseconds timeout_;
  Handler handler_;
  // Tells handlers that run after the destructor that this object is gone.
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_PROTOCOL_CHOICE_H_
