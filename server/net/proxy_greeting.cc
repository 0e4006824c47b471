#include "server/net/proxy_greeting.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <variant>

#include "server/net/proxy_protocol.h"

namespace crier {

ProxyGreeting::ProxyGreeting(boost::asio::io_context& io, UniqueFd fd,
                             std::chrono::milliseconds timeout, Handler handler)
    : socket_(io, fd.release()), deadline_(io), timeout_(timeout), handler_(std::move(handler)) {}

void ProxyGreeting::Start() {
  deadline_.expires_after(timeout_);
  deadline_.async_wait(
      [this, alive = std::weak_ptr<void>(alive_)](boost::system::error_code error) {
        if (!error && !alive.expired()) Finish(End::kGone, {});
      });
  Wait();
}

void ProxyGreeting::Wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this, alive = std::weak_ptr<void>(alive_)](boost::system::error_code error) {
                       if (!error && !alive.expired()) Read();
                     });
}

void ProxyGreeting::Read() {
  char bytes[kMaxProxyHeaderBytes];
  const ssize_t peeked =
      ::recv(socket_.native_handle(), bytes, sizeof(bytes) - header_.size(), MSG_PEEK);
  if (peeked < 0 && (errno == EAGAIN || errno == EINTR)) return Wait();
  if (peeked <= 0) return Finish(End::kGone, {});
  const size_t before = header_.size();
  header_.append(bytes, static_cast<size_t>(peeked));
  const auto read = ReadProxyHeader(header_);
  if (const auto* error = std::get_if<ProxyHeaderError>(&read)) {
    return Finish(End::kRefused, std::string(error->text));
  }
  const auto* header = std::get_if<ProxyHeader>(&read);
  // Where it is not whole, all that is there belongs to it.
  const size_t taken = (header != nullptr ? header->size : header_.size()) - before;
  if (::recv(socket_.native_handle(), bytes, taken, 0) != static_cast<ssize_t>(taken)) {
    return Finish(End::kGone, {});
  }
  if (header == nullptr) return Wait();
  Finish(End::kRead, header->address);
}

void ProxyGreeting::Finish(End end, std::string client) {
  alive_.reset();  // once
  deadline_.cancel();
  // It may destroy this object, and itself with it.
  Handler handler = std::move(handler_);
  handler(end, std::move(client));
}

}  // namespace crier
