// Calls to one Redis server over one connection, pipelined: answers come in the order of the calls.
//
// The connection is made again for ever when it is lost; nothing is sent twice. What was not
// answered by then is told as lost, and the caller decides.
#ifndef CRIER_SERVER_CLUSTER_REDIS_CLIENT_H_
#define CRIER_SERVER_CLUSTER_REDIS_CLIENT_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/base/clock.h"
#include "server/cluster/redis_address.h"
#include "server/cluster/redis_reply.h"
#include "server/cluster/redis_script.h"
#include "server/cluster/redis_socket.h"
#include "server/cluster/redis_ticker.h"

namespace crier {

// Runs on: the thread of `io`, all of it, callbacks too. The destructor also where the loop has
// ended, and in either case before `io` goes. It stops first. Callbacks may call Call, Run and
// Stop; they must not destroy the client.
class RedisClient {
 public:
  struct Options {
    // A call that is not answered in this time means that the connection is lost. Also how long
    // Redis may be silent to a PING where there are no calls.
    std::chrono::milliseconds timeout{2000};
    // Bytes of calls that are not answered yet. More are refused (kLost).
    size_t most_unsent = 8 << 20;
    // Loaded whenever the connection is made, before on_up. They have to outlive the client.
    std::vector<const RedisScript*> scripts{};
    // Connected, logged in, scripts loaded: calls are sent from now on.
    std::function<void()> on_up{};
    // The connection was lost: behind the kLost answers of its calls. Or it could not be made: once
    // for each reason that differs from the one before. `why` names the server and never a
    // password.
    std::function<void(std::string_view why)> on_down{};
    // The change of the bytes kept for requests, answers and calls; all of it is given back by the
    // end of Stop.
    std::function<void(int64_t bytes)> on_memory{};
  };
  using Done = absl::AnyInvocable<void(const RedisReply&)>;

  // Keeps `io`. Nothing happens before Start.
  RedisClient(boost::asio::io_context* io, RedisAddress address, Options options);
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  // Once.
  void Start();
  // For good. Calls that are not answered get kLost, in order, inside of Stop. No other callback
  // runs any more.
  void Stop();

  bool up() const { return socket_.up(); }
  // Calls that are not answered yet, and the bytes of their requests.
  size_t outstanding() const { return outstanding_; }
  size_t outstanding_bytes() const { return outstanding_bytes_; }

  // Sends a command; `args` begins with its name. All of one turn of the loop leave in one write.
  // `done` runs exactly once: with the answer, later; or with kLost where the connection is lost
  // (in the order of the calls), where Redis says READONLY (it is no master any more: the
  // connection is dropped); or from inside of this call where it is not up or over most_unsent.
  // Null: nobody wants the answer.
  void Call(std::span<const std::string_view> args, Done done);

  // The same with a script. Where Redis has lost it (NOSCRIPT), it is loaded and the call is made
  // again, unseen: calls that come in the meantime wait for that, so scripts stay in order. Other
  // commands that were on their way overtake them; and so do scripts where someone else loads them
  // at that very moment.
  // `script` has to outlive the call.
  void Run(const RedisScript& script, std::span<const std::string_view> keys,
           std::span<const std::string_view> args, Done done);

 private:
  struct Pending {
    Done done;
    TimePoint sent{};
    size_t bytes = 0;                     // of the request; 0 for one of ours
    int64_t charged = 0;                  // memory
    const RedisScript* script = nullptr;  // null: no script
    size_t parts = 0;                     // of a script's command
    // Kept for sending it later or again: a script's command behind the digest, or a whole command.
    std::string text{};
    int refusals = 0;  // NOSCRIPT, so many times
  };

  // False: not now; `done` has been told.
  bool Admit(size_t bytes, Done* done);
  void Submit(Pending call);
  // All of these: REQUIRES: up.
  void Write(Pending call);
  void SendOurs(std::span<const std::string_view> args);
  void WriteRepeated();

  void OnUp();
  void OnReply(const RedisReply& reply);
  void OnDown(std::string_view why, bool was_up);
  void OnTick(TimePoint now);
  void LoseAll(std::string_view why);
  void Finish(Pending call, const RedisReply& reply);
  void Charge(int64_t bytes);

  const Options options_;
  RedisSocket socket_;
  RedisTicker ticker_;
  std::deque<Pending> pending_;  // sent, in order
  // NOSCRIPT was the answer. They are sent again once nothing is pending; so what was sent behind
  // them does not overtake them. What is called in the meantime waits behind them.
  std::deque<Pending> repeated_;
  std::deque<Pending> waiting_;
  size_t outstanding_ = 0;
  size_t outstanding_bytes_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_CLIENT_H_
