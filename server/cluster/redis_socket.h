// A connection to a Redis server that is made again whenever it is lost: with a master found by
// sentinels where there are any, with login, and with a growing pause between attempts.
//
// Private to this folder: RedisClient and RedisSubscriber are what others use.
#ifndef CRIER_SERVER_CLUSTER_REDIS_SOCKET_H_
#define CRIER_SERVER_CLUSTER_REDIS_SOCKET_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/clock.h"
#include "server/cluster/redis_address.h"
#include "server/cluster/redis_connection.h"
#include "server/cluster/redis_reply.h"
#include "server/cluster/redis_sentinel.h"

namespace crier {

// Runs on: the thread of `io`. Callbacks may call all of it; they must not destroy it.
class RedisSocket {
 public:
  struct Options {
    // Commands sent behind the login. An error as an answer to one of them ends the attempt.
    std::vector<std::vector<std::string>> greetings{};
    std::function<void()> on_up;
    std::function<void(const RedisReply&)> on_reply;
    // was_up: else an attempt has failed, for another reason than the last one.
    std::function<void(std::string_view why, bool was_up)> on_down;
    std::function<void(int64_t bytes)> on_memory;
  };

  // For connection and login together, and for one sentinel's answer.
  static constexpr std::chrono::seconds kLoginTimeout{3};
  static constexpr std::chrono::seconds kSentinelTimeout{1};
  // Pauses are drawn evenly from nothing to a limit. It doubles with each attempt, from the first
  // to the last of these, and begins anew after a connection that was up for the last.
  static constexpr std::chrono::milliseconds kFirstPause{50};
  static constexpr std::chrono::milliseconds kLastPause{2000};

  RedisSocket(boost::asio::io_context* io, RedisAddress address, Options options);
  ~RedisSocket() { Stop(); }
  RedisSocket(const RedisSocket&) = delete;
  RedisSocket& operator=(const RedisSocket&) = delete;

  void Start();
  // For good. No callback runs any more.
  void Stop();
  bool up() const { return state_ == State::kUp; }
  bool stopped() const { return state_ == State::kStopped; }
  const RedisAddress& address() const { return address_; }

  // Drops the connection, or the attempt, and makes another one later. on_down runs from inside.
  void Fail(std::string_view why);

  // As RedisConnection's. REQUIRES: up().
  std::string* out() { return connection_->out(); }
  void Flush() { connection_->Flush(); }
  void Send(std::span<const std::string_view> args) { connection_->Send(args); }
  TimePoint last_received() const { return connection_->last_received(); }

 private:
  enum class State : uint8_t { kNew, kPausing, kAskingSentinel, kLoggingIn, kUp, kStopped };
  // What answers are awaited while logging in, in the order of sending.
  enum class Step : uint8_t { kAuth, kSelect, kName, kPing, kRole, kGreeting };

  void Attempt();
  void AskSentinel();
  void OnSentinelReply(const RedisReply& reply);
  void NextSentinel(std::string_view why);
  void ConnectTo(const HostPort& server);
  std::shared_ptr<RedisConnection> NewConnection();
  void OnLoginReply(const RedisReply& reply);
  void OnOpen();
  void OnReply(const RedisReply& reply);
  void OnClosed(std::string_view why);
  void CloseConnection();
  void OnTimer();
  void ArmTimer(std::chrono::milliseconds wait);
  std::chrono::milliseconds NextPause();

  boost::asio::io_context* const io_;
  const RedisAddress address_;
  const Options options_;
  State state_ = State::kNew;
  std::shared_ptr<RedisConnection> connection_;
  std::deque<Step> steps_;
  boost::asio::steady_timer timer_;
  uint64_t timer_round_ = 0;  // what an older round of the timer brings does not count
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  HostPort server_;            // that is connected to, or is to be
  size_t sentinel_ = 0;        // who is asked
  size_t sentinels_left_ = 0;  // in this attempt
  bool is_sentinels_login_awaited_ = false;
  RedisSentinelWatch watch_;
  int failures_ = 0;  // in a row
  TimePoint up_since_{};
  std::string last_why_;
  std::minstd_rand random_;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_SOCKET_H_
