#include "server/admin/protocol_choice.h"

#include <sys/socket.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

namespace crier {
namespace {

// A ClientHello is one record of TLS (RFC 8446, section 5.1).
constexpr size_t kMostBytes = (16 << 10) + 5;
// Bytes that were looked at stay where they are, so the socket stays readable: another look comes
// after this time, not at once.
constexpr std::chrono::milliseconds kLookAgain{5};

}  // namespace

ProtocolChoice::ProtocolChoice(boost::asio::io_context& io, AcceptedConnection accepted, bool tls,
                               std::chrono::milliseconds timeout, Handler handler)
    : socket_(io, accepted.fd.release()),
      deadline_(io),
      again_(io),
      accepted_(std::move(accepted)),
      tls_(tls),
      timeout_(timeout),
      handler_(std::move(handler)) {}

void ProtocolChoice::Start() {
  deadline_.expires_after(timeout_);
  deadline_.async_wait(
      [this, alive = std::weak_ptr<void>(alive_)](boost::system::error_code error) {
        if (!error && !alive.expired()) Finish(SpokenProtocol::kNotYet);
      });
  Wait();
}

AcceptedConnection ProtocolChoice::Release() {
  accepted_.fd.reset(socket_.release());
  return std::move(accepted_);
}

void ProtocolChoice::Wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this, alive = std::weak_ptr<void>(alive_)](boost::system::error_code error) {
                       if (!error && !alive.expired()) Look();
                     });
}

void ProtocolChoice::Look() {
  std::vector<char> bytes(kMostBytes);
  const ssize_t peeked = ::recv(socket_.native_handle(), bytes.data(), bytes.size(), MSG_PEEK);
  if (peeked < 0 && (errno == EAGAIN || errno == EINTR)) return Wait();
  if (peeked <= 0) return Finish(SpokenProtocol::kNotYet);
  const std::string_view seen(bytes.data(), static_cast<size_t>(peeked));
  const SpokenProtocol spoken = tls_ ? SpokenInTls(seen) : SpokenPlainly(seen);
  if (spoken != SpokenProtocol::kNotYet) return Finish(spoken);
  again_.expires_after(kLookAgain);
  again_.async_wait([this, alive = std::weak_ptr<void>(alive_)](boost::system::error_code error) {
    if (!error && !alive.expired()) Look();
  });
}

void ProtocolChoice::Finish(SpokenProtocol spoken) {
  alive_.reset();  // once
  deadline_.cancel();
  // It may destroy this object, and itself with it.
  Handler handler = std::move(handler_);
  handler(spoken);
}

}  // namespace crier
