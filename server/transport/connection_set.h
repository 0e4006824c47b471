// All connections of one shard and one transport, in every phase. Owns them, checks their
// deadlines, and holds the state that they share.
#ifndef CRIER_SERVER_TRANSPORT_CONNECTION_SET_H_
#define CRIER_SERVER_TRANSPORT_CONNECTION_SET_H_

#include <array>
#include <boost/intrusive/list.hpp>
#include <chrono>
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
#include "server/transport/served_time.h"
#include "server/transport/tls_session.h"

namespace crier {

using ConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// What the set needs of a connection. All times are served time (served_time.h). Runs on: shard
// thread.
class PolledConnection : public ConnectionHook {
 public:
  virtual ~PolledConnection() = default;

  // Handles expired deadlines, and returns the time of the next call.
  virtual TimePoint CheckDeadlines(TimePoint now) = 0;
  // The server will stop. Tells the peer, if the protocol has a way, and goes on.
  virtual void Announce() {}
  // The server stops. Tells the peer, if the protocol has a way, and ends soon.
  virtual void GoAway() = 0;
  // Closes the socket. The connection removes itself soon after.
  virtual void HardClose() = 0;
  // One of its handlers has thrown (ConnectionSet::Fail), so what it says of itself may be wrong:
  // closes the socket, and ends its sessions with INTERNAL. What is still under way may call back
  // until the set removes it, and has to find nothing to do.
  virtual void OnFailed() = 0;

 private:
  friend class ConnectionSet;
  bool removed_ = false;
  bool failed_ = false;
};

// Runs on: shard thread, except the constructor.
class ConnectionSet {
 public:
  // `shard` outlives this object.
  explicit ConnectionSet(Shard* shard);
  virtual ~ConnectionSet();
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;

  // Starts to watch for readiness. `io_uring`: submit sends together if the kernel can.
  absl::Status Start(bool io_uring);

  // Adds the connection, and calls its CheckDeadlines at `check_at` or soon after.
  void Add(std::unique_ptr<PolledConnection> connection, TimePoint check_at);
  // Changes the time of the connection's next CheckDeadlines.
  void CheckAt(PolledConnection* connection, TimePoint at);
  // The connection is destroyed once control has returned to the shard's loop. REQUIRES: it has no
  // operation under way. Of one that has failed: does nothing.
  void Remove(PolledConnection* connection);

  // One of the connection's handlers has thrown: ends it (PolledConnection::OnFailed) and removes
  // it kFailedTime later, when what was under way has called back. Twice is no error.
  void Fail(PolledConnection* connection) noexcept;
  // Runs `action`. Where it throws, that is noted, and the connection has failed.
  template <class Action>
  void Guard(PolledConnection* connection, Action&& action) noexcept {
    if (!NoThrow(exceptions(), "a connection's handler", action)) Fail(connection);
  }

  // Lets each connection whose deadline is over act on it. `clock` is the machine's time.
  void Tick(TimePoint clock);
  // The served time, to the precision of the shard's clock. poller().now() is cheaper.
  TimePoint PreciseNow() const { return time_.At(shard_->clock().Now()); }

  // Tells every connection that the server will stop, those too that are added later.
  void AnnounceStop();
  // Stop asks every connection to end, and calls `done` when none is left. A connection may take
  // until its deadlines end it. HardCloseAll closes those that are left at once.
  void Stop(absl::AnyInvocable<void()> done);
  void HardCloseAll();

  size_t size() const { return size_; }
  Shard& shard() const { return *shard_; }
  Poller& poller() { return poller_; }
  // See Poller::receive_buffer.
  std::span<char> receive_buffer() { return poller_.receive_buffer(); }
  SendBatch& sends() { return sends_; }
  // The TLS of a new connection. `context` null: none.
  std::unique_ptr<TlsSession> NewTls(const TlsContext* context, TlsProtocol protocol);

  // Called after the turns of each flush. Sends the data that waits to be sent together.
  virtual void AfterWakes() { sends_.Submit(); }

 protected:
  // Destroys the connections. A derived set's destructor calls it first if connections use its
  // members.
  void DestroyConnections();

 private:
  using List = boost::intrusive::list<PolledConnection, boost::intrusive::base_hook<ConnectionHook>,
                                      boost::intrusive::constant_time_size<false>>;
  // A timing wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987). Every
  // connection is in the slot of the tick of its next check, so a tick touches only connections
  // that are due. A deadline further away than one turn of the wheel is checked once per turn.
  static constexpr size_t kSlots = 512;
  // What a handler that ends a connection's operation posts has long run by then.
  static constexpr std::chrono::milliseconds kFailedTime = std::chrono::seconds(1);

  static int64_t TickOf(TimePoint time) { return time.time_since_epoch() / kTickInterval; }
  Counter* exceptions() const { return &shard_->metrics().handler_exceptions; }
  void Link(PolledConnection* connection, TimePoint at);
  void Look(PolledConnection* connection, TimePoint now);
  void MoveToGraveyard(PolledConnection* connection);
  template <class Action>
  void ForEach(Action action);
  void Bury();

  Shard* const shard_;
  ServedTime time_;
  Poller poller_;
  SendBatch sends_;
  TlsShared tls_;
  std::array<List, kSlots> wheel_;
  int64_t tick_ = 0;  // the last tick that was handled
  size_t size_ = 0;
  std::vector<std::unique_ptr<PolledConnection>> graveyard_;
  bool announced_ = false;
  bool stopping_ = false;
  absl::AnyInvocable<void()> stopped_;
};

}  // namespace crier

#endif  // CRIER_SERVER_TRANSPORT_CONNECTION_SET_H_
