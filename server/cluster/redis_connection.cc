#include "server/cluster/redis_connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <utility>

#include "server/base/concat.h"

namespace crier {
namespace {

using Tcp = boost::asio::ip::tcp;
using boost::system::error_code;

// Buffers that a burst has made larger than this are given back when they are empty.
constexpr size_t kKeptBuffer = 16 << 10;

struct ReplyDeleter {
  void operator()(void* reply) const { freeReplyObject(reply); }
};

void AppendNumber(char mark, size_t number, std::string* out) {
  char text[24];
  text[0] = mark;
  char* end = std::to_chars(text + 1, text + sizeof text - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out->append(text, end);
}

}  // namespace

void AppendCommandHead(size_t parts, std::string* out) { AppendNumber('*', parts, out); }

void AppendArgument(std::string_view argument, std::string* out) {
  AppendNumber('$', argument.size(), out);
  out->append(argument).append("\r\n");
}

void AppendCommand(std::span<const std::string_view> args, std::string* out) {
  AppendCommandHead(args.size(), out);
  for (std::string_view argument : args) AppendArgument(argument, out);
}

RedisConnection::RedisConnection(boost::asio::io_context* io, Handlers handlers)
    : io_(io),
      handlers_(std::move(handlers)),
      resolver_(*io),
      socket_(*io),
      reader_(redisReaderCreate()) {}

RedisConnection::~RedisConnection() = default;

void RedisConnection::Open(const HostPort& server, bool tls, const std::string& ca_file) {
  server_ = server;
  Account();
  if (tls && !PrepareTls(ca_file)) return;
  error_code no_address;
  const auto address = boost::asio::ip::make_address(server.host, no_address);
  if (!no_address) {
    // Asio's resolver would start a thread for it.
    return Connect(Tcp::resolver::results_type::create(Tcp::endpoint(address, server.port),
                                                       server.host, std::to_string(server.port)),
                   tls);
  }
  resolver_.async_resolve(server.host, std::to_string(server.port), Tcp::resolver::numeric_service,
                          [self = shared_from_this(), tls](
                              error_code error, const Tcp::resolver::results_type& endpoints) {
                            if (self->is_closed_) return;
                            if (error) return self->Fail("look up", error.message());
                            self->Connect(endpoints, tls);
                          });
}

// False: it has failed, or will from the loop.
bool RedisConnection::PrepareTls(const std::string& ca_file) {
  namespace ssl = boost::asio::ssl;
  error_code error;
  // Read each time: the files may be others by then.
  tls_context_.emplace(ssl::context::tls_client);
  tls_context_->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                            ssl::context::no_tlsv1_1);
  if (ca_file.empty()) {
    tls_context_->set_default_verify_paths(error);
  } else {
    tls_context_->load_verify_file(ca_file, error);
  }
  if (error) {
    // Not from inside of Open: who has called it is not ready for the end.
    boost::asio::post(*io_, [self = shared_from_this(), ca_file, error] {
      if (!self->is_closed_) self->Fail(Concat({"read certificates ", ca_file}), error.message());
    });
    return false;
  }
  tls_.emplace(socket_, *tls_context_);
  tls_->set_verify_mode(ssl::verify_peer, error);
  tls_->set_verify_callback(ssl::host_name_verification(server_.host), error);
  error_code no_address;
  boost::asio::ip::make_address(server_.host, no_address);
  // SNI is for names.
  if (no_address) SSL_set_tlsext_host_name(tls_->native_handle(), server_.host.c_str());
  return true;
}

void RedisConnection::Connect(const Tcp::resolver::results_type& endpoints, bool tls) {
  boost::asio::async_connect(socket_, endpoints,
                             [self = shared_from_this(), tls](error_code error, const auto&) {
                               if (self->is_closed_) return;
                               if (error) return self->Fail("connect", error.message());
                               error_code ignored;
                               self->socket_.set_option(Tcp::no_delay(true), ignored);
                               tls ? self->Handshake() : self->Opened();
                             });
}

void RedisConnection::Handshake() {
  tls_->async_handshake(boost::asio::ssl::stream_base::client,
                        [self = shared_from_this()](error_code error) {
                          if (self->is_closed_) return;
                          if (error) return self->Fail("TLS", error.message());
                          self->Opened();
                        });
}

void RedisConnection::Opened() {
  is_open_ = true;
  last_received_ = std::chrono::steady_clock::now();
  Read();
  handlers_.on_open();
}

void RedisConnection::Close() {
  if (std::exchange(is_closed_, true)) return;
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
  if (handlers_.on_memory && charged_ != 0) handlers_.on_memory(-std::exchange(charged_, 0));
}

void RedisConnection::Fail(std::string_view step, std::string_view why) {
  const std::string text = Concat({step, step.empty() ? "" : ": ", why});
  Close();
  handlers_.on_closed(text);
}

void RedisConnection::Read() {
  auto received = [self = shared_from_this()](error_code error, size_t size) {
    if (self->is_closed_) return;
    if (error == boost::asio::error::eof) return self->Fail("", "the server has closed");
    if (error) return self->Fail("read", error.message());
    self->Received(size);
  };
  if (tls_) {
    tls_->async_read_some(boost::asio::buffer(input_), std::move(received));
  } else {
    socket_.async_read_some(boost::asio::buffer(input_), std::move(received));
  }
}

// Runs on: the loop. A handler may close this connection at any answer.
void RedisConnection::Received(size_t size) {
  last_received_ = std::chrono::steady_clock::now();
  if (redisReaderFeed(reader_.get(), input_.data(), size) != REDIS_OK) {
    return Fail("read", reader_->errstr);
  }
  while (!is_closed_) {
    void* taken = nullptr;
    if (redisReaderGetReply(reader_.get(), &taken) != REDIS_OK) {
      return Fail("read", reader_->errstr);
    }
    const std::unique_ptr<void, ReplyDeleter> reply(taken);
    if (reply == nullptr) {
      Account();
      return Read();
    }
    handlers_.on_reply(RedisReply(static_cast<const redisReply*>(reply.get())));
  }
}

void RedisConnection::Flush() {
  if (is_closed_ || is_writing_ || std::exchange(is_flush_posted_, true)) return;
  boost::asio::post(*io_, [self = shared_from_this()] {
    self->is_flush_posted_ = false;
    if (!self->is_closed_ && !self->is_writing_ && !self->out_.empty()) self->Write();
  });
}

void RedisConnection::Write() {
  is_writing_ = true;
  std::swap(out_, writing_);
  Account();
  auto written = [self = shared_from_this()](error_code error, size_t) {
    if (self->is_closed_) return;
    if (error) return self->Fail("write", error.message());
    self->Written();
  };
  if (tls_) {
    boost::asio::async_write(*tls_, boost::asio::buffer(writing_), std::move(written));
  } else {
    boost::asio::async_write(socket_, boost::asio::buffer(writing_), std::move(written));
  }
}

void RedisConnection::Written() {
  is_writing_ = false;
  writing_.clear();
  if (writing_.capacity() > kKeptBuffer) writing_.shrink_to_fit();
  Account();
  if (!out_.empty()) Write();
}

void RedisConnection::Account() {
  if (!handlers_.on_memory || is_closed_) return;
  const size_t kept =
      sizeof *this + out_.capacity() + writing_.capacity() + (reader_ ? reader_->len : 0);
  const int64_t change = static_cast<int64_t>(kept) - charged_;
  if (change == 0) return;
  charged_ += change;
  handlers_.on_memory(change);
}

}  // namespace crier
