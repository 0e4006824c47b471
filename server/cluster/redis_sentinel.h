// What sentinels say about who is the master. Private to this folder.
#ifndef CRIER_SERVER_CLUSTER_REDIS_SENTINEL_H_
#define CRIER_SERVER_CLUSTER_REDIS_SENTINEL_H_

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "server/cluster/redis_address.h"
#include "server/cluster/redis_connection.h"
#include "server/cluster/redis_reply.h"
#include "server/cluster/redis_ticker.h"

namespace crier {

// Gives the address's user and password. REQUIRES: it has a password.
void SendLogin(const RedisAddress& address, RedisConnection* connection);

// Asks the sentinel at the other end. A password is given first: returns true where that is
// answered before the question. A sentinel without a password refuses one, which does not matter.
bool AskForMaster(const RedisAddress& address, RedisConnection* connection);
// The answer. nullopt: this sentinel does not know the master.
std::optional<HostPort> MasterIn(const RedisReply& reply);

// Asks again every second while there is a connection to the master. Sentinels throw clients out of
// an old master only seconds after they have made another one, where the old one is still well;
// what it is told until then is lost.
//
// Runs on: the thread of `io`.
class RedisSentinelWatch {
 public:
  // `address` has to outlive it. `on_change`: a sentinel names another master; the watch has
  // stopped.
  RedisSentinelWatch(boost::asio::io_context* io, const RedisAddress* address,
                     std::function<void()> on_change, std::function<void(int64_t)> on_memory);
  ~RedisSentinelWatch() { Stop(); }

  // `sentinel`: the index of the one that has named `master`. It is asked first.
  void Start(size_t sentinel, HostPort master);
  void Stop();
  // Who is asked now, and can be asked first for the next master.
  size_t sentinel() const { return sentinel_; }

 private:
  void OnTick();
  void Open();
  void OnReply(const RedisReply& reply);
  void Close();

  boost::asio::io_context* const io_;
  const RedisAddress* const address_;
  const std::function<void()> on_change_;
  const std::function<void(int64_t)> on_memory_;
  RedisTicker ticker_;
  size_t sentinel_ = 0;
  HostPort master_;
  std::shared_ptr<RedisConnection> connection_;
  bool is_login_awaited_ = false;
  bool is_answer_awaited_ = false;  // or the connection
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_SENTINEL_H_
