// A WebSocketServer, and requests by HTTP to it.
#ifndef CRIER_TESTS_SUPPORT_HTTP_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_HTTP_FIXTURE_H_

#include <string>

#include "tests/support/websocket_fixture.h"

namespace crier::testing {

class HttpServerTest : public WebSocketServerTest {
 protected:
  // The whole answer.
  std::string Exchange(const std::string& request) {
    WebSocketClient client(address());
    client.SendRaw(request);
    if (!client.ReadResponseHeader()) return {};
    std::string answer = client.response();
    if (!request.starts_with("HEAD")) answer += client.ReadBody();
    return answer;
  }
  std::string Get(const std::string& target, const std::string& headers = {}) {
    return Exchange("GET " + target + " HTTP/1.1\r\nHost: " + address() +
                    "\r\nConnection: close\r\n" + headers + "\r\n");
  }
  int StatusOfUpgrade(const WebSocketClient::Options& options) {
    return WebSocketClient(address(), options).status();
  }
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_HTTP_FIXTURE_H_
