#include "server/websocket/handshake.h"

#include <boost/beast/websocket/detail/hybi13.hpp>
#include <charconv>
#include <vector>

#include "server/base/concat.h"
#include "server/websocket/extension_list.h"

namespace crier {
namespace {

namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

constexpr std::string_view kDeflate = "permessage-deflate";
// RFC 7692, section 7.1.2; and 8 cannot be had from zlib.
constexpr int kLeastWindowBits = 8;
constexpr int kLeastZlibWindowBits = 9;
constexpr int kMostWindowBits = 15;

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

// A number without leading zeros (section 7.1.2.1); 0: it is not one, or out of range.
int WindowBits(std::string_view text) {
  int bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool whole = error == std::errc() && end == text.data() + text.size() && text[0] != '0';
  return whole && bits >= kLeastWindowBits && bits <= kMostWindowBits ? bits : 0;
}

// The parameters of one offer.
std::optional<DeflateAgreement> Agree(const std::vector<ExtensionParameter>& parameters) {
  DeflateAgreement agreement;
  bool server_takeover = false, client_takeover = false, client_window = false;
  for (const auto& [name, value] : parameters) {
    bool* seen = nullptr;
    if (name == "server_no_context_takeover") {
      seen = &server_takeover;
      if (value) return std::nullopt;
    } else if (name == "client_no_context_takeover") {
      seen = &client_takeover;
      if (value) return std::nullopt;
    } else if (name == "client_max_window_bits") {
      // Any window of the client's can be read. It may also only say that it takes an answer.
      seen = &client_window;
      if (value && WindowBits(*value) == 0) return std::nullopt;
    } else if (name == "server_max_window_bits") {
      seen = &agreement.server_window_asked;
      agreement.server_window_bits = value ? WindowBits(*value) : 0;
      if (agreement.server_window_bits < kLeastZlibWindowBits) return std::nullopt;
    }
    if (seen == nullptr || *seen) return std::nullopt;
    *seen = true;
  }
  return agreement;
}

// Headers that come more than once mean the same as one list (RFC 9110, section 5.3).
std::string ExtensionsOf(const HttpRequest& request) {
  std::string all;
  const auto [begin, end] = request.equal_range(http::field::sec_websocket_extensions);
  for (auto header = begin; header != end; ++header) {
    if (!all.empty()) all += ", ";
    all += View(header->value());
  }
  return all;
}

}  // namespace

std::optional<DeflateAgreement> ChooseDeflateOffer(std::string_view offers) {
  for (const Extension& offer : ParseExtensions(offers)) {
    if (offer.name != kDeflate) continue;
    if (auto agreement = Agree(offer.parameters)) return agreement;
  }
  return std::nullopt;
}

Handshake AcceptUpgrade(const HttpRequest& request, const Dialect* dialect, bool compression) {
  Handshake handshake;
  // Beast has no public name for it.
  websocket::detail::sec_ws_accept_type accept;
  websocket::detail::make_sec_ws_accept(accept, request[http::field::sec_websocket_key]);
  std::string& response = handshake.response;
  response = Concat(
      {"HTTP/1.1 101 Switching Protocols\r\n"
       "Upgrade: websocket\r\n"
       "Connection: Upgrade\r\n"
       "Sec-WebSocket-Accept: ",
       std::string_view(accept.data(), accept.size()), "\r\nServer: ", kServerProduct, "\r\n"});
  if (dialect != nullptr && !dialect->subprotocol.empty()) {
    response += Concat({"Sec-WebSocket-Protocol: ", dialect->subprotocol, "\r\n"});
  }
  if (compression) handshake.deflate = ChooseDeflateOffer(ExtensionsOf(request));
  if (handshake.deflate) {
    response += Concat({"Sec-WebSocket-Extensions: ", kDeflate,
                        "; server_no_context_takeover; client_no_context_takeover"});
    if (handshake.deflate->server_window_asked) {
      response +=
          "; server_max_window_bits=" + std::to_string(handshake.deflate->server_window_bits);
    }
    response += "\r\n";
  }
  response += "\r\n";
  return handshake;
}

}  // namespace crier
