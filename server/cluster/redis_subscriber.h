// Channels of one Redis server that are listened to over one connection.
//
// The connection is made again for ever when it is lost, and all channels are subscribed again.
// What was published in the meantime is not told: whoever needs it has to look after on_restored.
#ifndef CRIER_SERVER_CLUSTER_REDIS_SUBSCRIBER_H_
#define CRIER_SERVER_CLUSTER_REDIS_SUBSCRIBER_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/base/clock.h"
#include "server/base/string_map.h"
#include "server/cluster/redis_address.h"
#include "server/cluster/redis_reply.h"
#include "server/cluster/redis_socket.h"
#include "server/cluster/redis_ticker.h"

namespace crier {

// Runs on: the thread of `io`, all of it, callbacks too. The destructor also where the loop has
// ended, and in either case before `io` goes. It stops first. Callbacks may call Subscribe,
// Unsubscribe and Stop; they must not destroy the subscriber.
class RedisSubscriber {
 public:
  struct Options {
    // A message, at once when it has come; nothing is queued here. The views end with the call.
    std::function<void(std::string_view channel, std::string_view payload)> on_message{};
    // Connected and logged in.
    std::function<void()> on_up{};
    // All channels that were subscribed when on_up ran are confirmed: their messages come (again).
    // Once for each on_up, unless the connection is lost before.
    std::function<void()> on_restored{};
    // As RedisClient's.
    std::function<void(std::string_view why)> on_down{};
    // The change of the bytes kept in buffers and for channels; all of it is given back by the
    // end of Stop.
    std::function<void(int64_t bytes)> on_memory{};
    // Silence of this time means that the connection is lost. A PING each second while nothing
    // else comes (more often where this is shorter) keeps it from being silent.
    std::chrono::milliseconds timeout{2000};
  };

  // Keeps `io`. Nothing happens before Start.
  RedisSubscriber(boost::asio::io_context* io, RedisAddress address, Options options);
  ~RedisSubscriber();
  RedisSubscriber(const RedisSubscriber&) = delete;
  RedisSubscriber& operator=(const RedisSubscriber&) = delete;

  // Once.
  void Start();
  // For good. No callback runs any more.
  void Stop();

  bool up() const { return socket_.up(); }
  size_t channels() const { return wanted_; }

  // Listens to `channel` until Unsubscribe. `confirmed` (or null) runs once, when Redis says for
  // the first time that it is subscribed, which may be after a reconnect; never inside of this
  // call. Its messages come after that. Unsubscribed or stopped before: it is dropped without a
  // call. REQUIRES: the channel is not subscribed.
  void Subscribe(std::string channel, absl::AnyInvocable<void()> confirmed);
  // No message of it comes from now on. No effect where it is not subscribed.
  void Unsubscribe(std::string_view channel);

 private:
  struct Channel {
    absl::AnyInvocable<void()> confirmed;
    uint32_t awaited = 0;  // commands about it that Redis has not confirmed yet
    uint32_t link = 0;     // the connection, by links_, that it was subscribed on
    bool is_wanted = false;
  };

  // REQUIRES: up.
  void Send(std::string_view command, std::string_view channel);
  void Restore();

  void OnUp();
  void OnReply(const RedisReply& reply);
  void OnMessage(std::string_view channel, std::string_view payload);
  void OnConfirmed(std::string_view channel);
  void OnDown(std::string_view why, bool was_up);
  void OnTick(TimePoint now);
  void Forget(StringMap<Channel>::iterator channel);
  void Charge(int64_t bytes);

  const Options options_;
  RedisSocket socket_;
  RedisTicker ticker_;
  TimePoint last_ping_{};

  StringMap<Channel> channels_;
  size_t wanted_ = 0;
  uint32_t links_ = 0;  // connections so far
  // Of this connection: subscriptions and their ends, as sent and as confirmed.
  uint64_t sent_ = 0;
  uint64_t confirmed_ = 0;
  // Channels still to be subscribed again, from the back, a batch at a time.
  std::vector<std::string> to_restore_;
  uint64_t batch_end_ = 0;  // sent_ behind the batch
  bool is_restoring_ = false;
  int64_t charged_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_SUBSCRIBER_H_
