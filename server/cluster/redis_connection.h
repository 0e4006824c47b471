// One TCP connection to a Redis server, or to a sentinel, from its name to its end.
//
// hiredis takes the answers apart; the rest is here. Private to this folder.
#ifndef CRIER_SERVER_CLUSTER_REDIS_CONNECTION_H_
#define CRIER_SERVER_CLUSTER_REDIS_CONNECTION_H_

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/base/clock.h"
#include "server/cluster/redis_address.h"
#include "server/cluster/redis_reply.h"

namespace crier {

// Appends a command as Redis's protocol (RESP2) has it.
void AppendCommand(std::span<const std::string_view> args, std::string* out);
// Parts of it: the count of arguments, then each argument.
void AppendCommandHead(size_t parts, std::string* out);
void AppendArgument(std::string_view argument, std::string* out);

// Runs on: the thread of `io`. It is shared with its own handlers in the loop: who has no more use
// for it closes it and lets it go.
class RedisConnection : public std::enable_shared_from_this<RedisConnection> {
 public:
  struct Handlers {
    // The connection, with TLS where wanted, is there. Commands can be sent.
    std::function<void()> on_open;
    std::function<void(const RedisReply&)> on_reply;
    // It could not be made, or is lost. Nothing else is called after that.
    std::function<void(std::string_view why)> on_closed;
    // The change of the bytes kept in buffers. May be null.
    std::function<void(int64_t bytes)> on_memory;
  };

  RedisConnection(boost::asio::io_context* io, Handlers handlers);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // Once. Has no time limit of its own. `tls`: with the certificates in `ca_file`, or the system's
  // where it is empty.
  void Open(const HostPort& server, bool tls, const std::string& ca_file);
  // No handler is called from now on. May be called by handlers.
  void Close();

  // Bytes to be sent are appended to this, and then Flush is called. REQUIRES: it is open.
  std::string* out() { return &out_; }
  // Makes sure that out() leaves, in one write with all that is appended until the loop's next
  // turn.
  void Flush();
  void Send(std::span<const std::string_view> args) {
    AppendCommand(args, &out_);
    Flush();
  }

  // When bytes came last.
  TimePoint last_received() const { return last_received_; }

 private:
  using Tcp = boost::asio::ip::tcp;
  struct ReaderDeleter {
    void operator()(redisReader* reader) const { redisReaderFree(reader); }
  };

  void Connect(const Tcp::resolver::results_type& endpoints, bool tls);
  bool PrepareTls(const std::string& ca_file);
  void Handshake();
  void Opened();
  void Read();
  void Received(size_t size);
  void Write();
  void Written();
  void Fail(std::string_view step, std::string_view why);
  void Account();

  boost::asio::io_context* const io_;
  const Handlers handlers_;
  HostPort server_;
  Tcp::resolver resolver_;
  Tcp::socket socket_;
  std::optional<boost::asio::ssl::context> tls_context_;
  std::optional<boost::asio::ssl::stream<Tcp::socket&>> tls_;
  bool is_open_ = false;
  bool is_closed_ = false;
  TimePoint last_received_{};

  std::unique_ptr<redisReader, ReaderDeleter> reader_;
  std::array<char, 16 << 10> input_;
  std::string out_;
  std::string writing_;
  bool is_flush_posted_ = false;
  bool is_writing_ = false;
  int64_t charged_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_CONNECTION_H_
