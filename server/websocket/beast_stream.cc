#include "server/websocket/beast_stream.h"

namespace crier {

void DisableTimeouts(BeastStream* ws) {
  boost::beast::websocket::stream_base::timeout never;
  never.handshake_timeout = boost::beast::websocket::stream_base::none();
  never.idle_timeout = boost::beast::websocket::stream_base::none();
  never.keep_alive_pings = false;
  ws->set_option(never);
}

void beast_close_socket(BeastLayer& layer) { layer.below().HardClose(); }

void teardown(boost::beast::role_type, BeastLayer& layer, boost::system::error_code& error) {
  layer.below().HardClose();
  error = {};
}

}  // namespace crier
