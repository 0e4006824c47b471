#include "server/websocket/spare_streams.h"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <cassert>
#include <utility>

namespace crier {
namespace {

namespace http = boost::beast::http;

// Beast has no other way to open a stream than to accept a request. What it answers goes nowhere.
const http::request<http::empty_body>& AnyUpgrade() {
  static const auto* const kRequest = [] {
    auto* request = new http::request<http::empty_body>(http::verb::get, "/", 11);
    request->set(http::field::host, "localhost");
    request->set(http::field::connection, "upgrade");
    request->set(http::field::upgrade, "websocket");
    request->set(http::field::sec_websocket_version, "13");
    request->set(http::field::sec_websocket_key, "AAAAAAAAAAAAAAAAAAAAAA==");
    return request;
  }();
  return *kRequest;
}

}  // namespace

std::unique_ptr<BeastStream> SpareStreams::Make() {
  auto ws = std::make_unique<BeastStream>(io_, nullptr);
  DisableTimeouts(ws.get());
  boost::system::error_code error;
  ws->accept(AnyUpgrade(), error);
  assert(!error);
  return ws;
}

std::unique_ptr<BeastStream> SpareStreams::Take(GatherStream* below) {
  std::unique_ptr<BeastStream> ws;
  if (spares_.empty()) {
    ws = Make();
  } else {
    ws = std::move(spares_.back());
    spares_.pop_back();
  }
  ws->next_layer().set_below(below);
  return ws;
}

void SpareStreams::GiveBack(std::unique_ptr<BeastStream> ws) {
  assert(ws->is_open());
  if (spares_.size() >= kMostSpares) return;
  ws->control_callback();
  ws->next_layer().set_below(nullptr);
  spares_.push_back(std::move(ws));
}

}  // namespace crier
