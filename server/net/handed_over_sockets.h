// Keeps count of connections whose descriptors were given to somebody else (gRPC), who closes them
// without telling.
//
// A descriptor's number says nothing: it may have been closed and given out anew. So each entry
// keeps the kernel's own name of the socket, SO_COOKIE (socket(7), Linux 4.6), which is never given
// to a second socket: as long as the number still leads to that cookie, the connection is open.
#ifndef CRIER_SERVER_NET_HANDED_OVER_SOCKETS_H_
#define CRIER_SERVER_NET_HANDED_OVER_SOCKETS_H_

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "server/base/mutex.h"
#include "server/net/connection_table.h"

namespace crier {

// Looks once a second for sockets that were closed, and whenever `table` is about to refuse a
// connection (but then at most every kSweepPause, since a sweep asks the kernel about every
// socket).
class HandedOverSockets {
 public:
  static constexpr std::chrono::milliseconds kSweepInterval{1000};
  static constexpr std::chrono::milliseconds kSweepPause{50};

  // `io` and `table` outlive this object. It becomes the table's reclaimer.
  HandedOverSockets(boost::asio::io_context& io, ConnectionTable* table);
  // Gives back every place. Runs on: the thread of `io`, or any once that has ended.
  ~HandedOverSockets();
  HandedOverSockets(const HandedOverSockets&) = delete;
  HandedOverSockets& operator=(const HandedOverSockets&) = delete;

  // `fd` is about to be given away; `place` is given back once it was closed. To be called before
  // the new owner can close it. Where `fd` is still listed it must have been closed since, and the
  // old place is given back. Runs on: the thread of `io`.
  void Add(int fd, ConnectionTable::Place place);

  // Gives back the places of sockets that were closed; returns how many. Thread-safe.
  size_t Sweep();

  // How many are believed open. Thread-safe.
  size_t size() const;

 private:
  struct Entry {
    uint64_t cookie;
    ConnectionTable::Place place;
  };

  // What the table calls: Sweep, if the last one was long enough ago.
  void SweepUnderPressure();
  void ArmTimer();

  ConnectionTable* const table_;

  mutable Mutex mutex_;  // taken before the table's own
  absl::flat_hash_map<int, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point last_sweep_ ABSL_GUARDED_BY(mutex_){};

  // Of the thread of `io`.
  boost::asio::steady_timer timer_;
  bool timer_armed_ = false;
  // Handlers that come after the destructor see that it is gone.
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace crier

#endif  // CRIER_SERVER_NET_HANDED_OVER_SOCKETS_H_
