// Beast's WebSocket stream as it is used here: over a layer that leads to whichever GatherStream it
// is lent to.
#ifndef CRIER_SERVER_WEBSOCKET_BEAST_STREAM_H_
#define CRIER_SERVER_WEBSOCKET_BEAST_STREAM_H_

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cassert>
#include <cstddef>
#include <utility>

#include "server/websocket/gather_stream.h"

namespace crier {

// A Beast next layer: passes everything on. Not final only because Asio has to derive from it to
// find out that it is no executor. Runs on: shard thread, all of it.
class BeastLayer {
 public:
  using executor_type = GatherStream::executor_type;
  using error_code = boost::system::error_code;

  // `io` outlives the layer. `below` may be null, and outlives the operations that are under way.
  BeastLayer(boost::asio::io_context& io, GatherStream* below)
      : executor_(io.get_executor()), below_(below) {}
  BeastLayer(const BeastLayer&) = delete;
  BeastLayer& operator=(const BeastLayer&) = delete;

  // REQUIRES: no operation is under way.
  void set_below(GatherStream* below) { below_ = below; }
  GatherStream& below() {
    assert(below_ != nullptr);
    return *below_;
  }

  executor_type get_executor() const noexcept { return executor_; }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    below().async_read_some(buffers, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    below().async_write_some(buffers, std::forward<Handler>(handler));
  }

  // Only while there is nothing below, where what is written goes nowhere: that is how SpareStreams
  // opens a stream.
  template <class Buffers>
  size_t write_some(const Buffers& buffers) {
    assert(below_ == nullptr);
    return boost::asio::buffer_size(buffers);
  }
  template <class Buffers>
  size_t write_some(const Buffers& buffers, error_code& error) {
    error = {};
    return write_some(buffers);
  }
  // Required of a layer that can be written to so, and never called.
  template <class Buffers>
  size_t read_some(const Buffers&) {
    return 0;
  }
  template <class Buffers>
  size_t read_some(const Buffers&, error_code& error) {
    error = boost::asio::error::eof;
    return 0;
  }

 private:
  const executor_type executor_;
  GatherStream* below_;
};

using BeastStream = boost::beast::websocket::stream<BeastLayer>;

// No timers of Beast's own: the shard looks at deadlines.
void DisableTimeouts(BeastStream* ws);

// What Beast looks up by argument.
void beast_close_socket(BeastLayer& layer);
void teardown(boost::beast::role_type role, BeastLayer& layer, boost::system::error_code& error);

template <class Handler>
void async_teardown(boost::beast::role_type, BeastLayer& layer, Handler&& handler) {
  layer.below().async_shut_down(std::forward<Handler>(handler));
}

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_BEAST_STREAM_H_
