#include "server/websocket/handshake.h"

#include <string>
#include <string_view>

namespace crier {
namespace {

namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

// True where the answer grants permessage-deflate and does not narrow the server's window: frames
// that are shared by all clients were deflated with the widest one (RFC 7692, section 7.1.2.1).
bool MaySendDeflated(const websocket::response_type& response) {
  const auto extensions = response[http::field::sec_websocket_extensions];
  const std::string_view text(extensions.data(), extensions.size());
  return text.find("permessage-deflate") != text.npos &&
         (text.find("server_max_window_bits") == text.npos ||
          text.find("server_max_window_bits=15") != text.npos);
}

}  // namespace

void PrepareHandshake(BeastStream* ws, bool compression, const Dialect* dialect,
                      HandshakeResult* result) {
  DisableTimeouts(ws);

  websocket::permessage_deflate extension;
  extension.server_enable = compression;
  extension.server_no_context_takeover = true;
  // An inflater's window is 32 KiB per connection for as long as it has to be remembered.
  extension.client_no_context_takeover = true;
  ws->set_option(extension);

  // Two pointers: what Beast keeps without a place on the heap, for as long as the connection
  // lives.
  ws->set_option(
      websocket::stream_base::decorator([dialect, result](websocket::response_type& response) {
        response.set(http::field::server, std::string(kServerProduct));
        result->accepted = response.result() == http::status::switching_protocols;
        result->extended = response.count(http::field::sec_websocket_extensions) > 0;
        result->deflate = MaySendDeflated(response);
        if (result->accepted && dialect != nullptr && !dialect->subprotocol.empty()) {
          response.set(http::field::sec_websocket_protocol, std::string(dialect->subprotocol));
        }
      }));
}

}  // namespace crier
