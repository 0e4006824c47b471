// Beast streams that are open and belong to no connection: a connection has one while it is
// accepted, and then only from the first thing on that needs one (connection.h).
#ifndef CRIER_SERVER_WEBSOCKET_SPARE_STREAMS_H_
#define CRIER_SERVER_WEBSOCKET_SPARE_STREAMS_H_

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <vector>

#include "server/websocket/beast_stream.h"

namespace crier {

// A shard's. Runs on: shard thread, all of it.
class SpareStreams {
 public:
  // As many as connections that come and go within a moment can use; some 2.5 KiB each.
  static constexpr size_t kMostSpares = 32;

  explicit SpareStreams(boost::asio::io_context& io) : io_(io) {}

  // A stream for the server's side of a connection that is open already, over `below`; no
  // extensions, no timers, Beast's other options at their defaults.
  std::unique_ptr<BeastStream> Take(GatherStream* below);

  // REQUIRES: it was accepted without extensions and has read and written nothing since; no
  // operation is under way (its accept's handler may be).
  void GiveBack(std::unique_ptr<BeastStream> ws);

 private:
  std::unique_ptr<BeastStream> Make();

  boost::asio::io_context& io_;
  std::vector<std::unique_ptr<BeastStream>> spares_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_SPARE_STREAMS_H_
