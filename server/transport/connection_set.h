// All connections of one shard and one transport, in whichever phase: owns them, looks at their
// deadlines, and has what they share.
#ifndef CRIER_SERVER_TRANSPORT_CONNECTION_SET_H_
#define CRIER_SERVER_TRANSPORT_CONNECTION_SET_H_

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/engine/shard.h"
#include "server/transport/poller.h"
#include "server/transport/send_batch.h"

namespace crier {

using ConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// What the set needs of a connection. Runs on: shard thread.
class PolledConnection : public ConnectionHook {
 public:
  virtual ~PolledConnection() = default;

  // Does what is due, and returns when to be called again.
  virtual TimePoint CheckDeadlines(TimePoint now) = 0;
  // The server stops: says so to the peer where there is a way to, and ends soon.
  virtual void GoAway() = 0;
  // Closes the socket; the connection removes itself soon after.
  virtual void HardClose() = 0;

 private:
  friend class ConnectionSet;
  bool removed_ = false;
};

// Runs on: shard thread, all of it but the constructor.
class ConnectionSet {
 public:
  // `shard` outlives this object.
  explicit ConnectionSet(Shard* shard);
  virtual ~ConnectionSet();
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;

  // Begins to look for readiness. `io_uring`: sends are submitted together where the kernel can.
  absl::Status Start(bool io_uring);

  // Takes the connection in, and calls CheckDeadlines at `check_at` or soon after.
  void Add(std::unique_ptr<PolledConnection> connection, TimePoint check_at);
  // Looks at the connection's deadlines at another time than it last asked for.
  void CheckAt(PolledConnection* connection, TimePoint at);
  // The connection is destroyed once control has returned to the shard's loop. REQUIRES: it has no
  // operation under way.
  void Remove(PolledConnection* connection);

  // Calls what is due. Takes `now` as the time until the next call.
  void Tick(TimePoint now);

  // Ends every connection, at the latest when CheckDeadlines is through with it or at the second
  // call, and then calls `done`.
  void Stop(absl::AnyInvocable<void()> done);
  void HardCloseAll();

  size_t size() const { return size_; }
  Shard& shard() const { return *shard_; }
  Poller& poller() { return poller_; }
  // Where connections receive, one at a time: what it holds is anybody's when control returns to
  // the loop.
  std::span<char> receive_buffer() { return {receive_buffer_.get(), kReceiveBytes}; }
  SendBatch& sends() { return sends_; }

  // After the turns of each flush: what waits to be sent together goes.
  virtual void AfterWakes() { sends_.Submit(); }

 protected:
  // What a derived set's destructor begins with, where its connections use what it has.
  void DestroyConnections();

 private:
  using List = boost::intrusive::list<PolledConnection, boost::intrusive::base_hook<ConnectionHook>,
                                      boost::intrusive::constant_time_size<false>>;
  // A wheel of deadlines (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987): every
  // connection lies in the slot of the tick at which it is looked at next, so a tick touches only
  // those that are due. What is further away than one turn is looked at once per turn.
  static constexpr size_t kSlots = 512;
  // A few hundred small messages: more would keep the others waiting.
  static constexpr size_t kReceiveBytes = 16 << 10;

  static int64_t TickOf(TimePoint time) { return time.time_since_epoch() / kTickInterval; }
  void Link(PolledConnection* connection, TimePoint at);
  template <class Action>
  void ForEach(Action action);
  void Bury();

  Shard* const shard_;
  Poller poller_;
  std::unique_ptr<char[]> receive_buffer_;
  SendBatch sends_;
  std::array<List, kSlots> wheel_;
  int64_t tick_ = 0;  // the last one that was done
  size_t size_ = 0;
  std::vector<std::unique_ptr<PolledConnection>> graveyard_;
  bool stopping_ = false;
  absl::AnyInvocable<void()> stopped_;
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_CONNECTION_SET_H_
