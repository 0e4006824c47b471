// HTTP on the WebSocket's port (docs/protocol.md, "HTTP, on the same port").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/base/outcome.h"
#include "server/console/console_page.h"
#include "tests/support/http_fixture.h"

namespace crier::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using WebSocketHttpTest = HttpServerTest;

TEST_F(WebSocketHttpTest, HealthcheckSaysOk) {
  Start();
  EXPECT_THAT(Get("/healthcheck"), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("\r\n\r\nok")));
}

TEST_F(WebSocketHttpTest, ReadyzFollowsSetReady) {
  Start();
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200"));
  server().SetReady(false);
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/healthcheck"), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebSocketHttpTest, MetricsAreInPrometheusFormat) {
  Start();
  WebSocketClient client = Connect();
  client.SendText(Say("direct", "x"));
  client.ReadText();
  EXPECT_THAT(Get("/metrics"),
              AllOf(HasSubstr("Content-Type: text/plain; version=0.0.4"),
                    HasSubstr("\nws_connections 1\n"), HasSubstr("\nall_ws_connections_total 1\n"),
                    HasSubstr("ws_message_handling_duration_seconds_count 1\n")));
}

TEST_F(WebSocketHttpTest, TheRootNamesTheServer) {
  Start();
  EXPECT_THAT(Get("/"), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("crier/")));
}

// What Chromium sends; curl and most libraries send "*/*" or nothing.
constexpr char kBrowser[] =
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";

TEST_F(WebSocketHttpTest, TheRootIsTheConsoleForABrowser) {
  Start();
  const std::string answer = Get("/", kBrowser);
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: text/html"),
                            HasSubstr("Vary: Accept\r\n"), HasSubstr("\r\n\r\n<!doctype html>"),
                            EndsWith("</html>\n")));
  EXPECT_THAT(answer, AllOf(HasSubstr("Content-Security-Policy: default-src 'none'; script-src "
                                      "'sha256-"),
                            HasSubstr("connect-src 'self'"), HasSubstr("frame-ancestors 'none'"),
                            HasSubstr("X-Content-Type-Options: nosniff\r\n"),
                            HasSubstr("Referrer-Policy: no-referrer\r\n")));
  EXPECT_THAT(Get("/", "Accept: TEXT/HTML ;q=0.5\r\n"), HasSubstr("<!doctype html>"));
  for (const std::string accept : {"Accept: */*\r\n", "Accept: text/htmlx, text/plain\r\n",
                                   "Accept: ,;,\r\n", "Accept:\r\n"}) {
    EXPECT_THAT(Get("/", accept), AllOf(HasSubstr("Content-Type: text/plain"),
                                        HasSubstr("Vary: Accept\r\n"), HasSubstr("\r\n\r\ncrier/")))
        << accept;
  }
}

TEST_F(WebSocketHttpTest, TheConsoleIsSentOnce) {
  Start();
  const std::string length =
      "Content-Length: " + std::to_string(ConsolePage().html.size()) + "\r\n";
  EXPECT_THAT(Exchange("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                       std::string(kBrowser) + "\r\n"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr(length), EndsWith("\r\n\r\n")));
  const std::string known = "If-None-Match: \"x\", W/" + std::string(ConsolePage().tag) + "\r\n";
  EXPECT_THAT(Get("/", kBrowser + known),
              AllOf(StartsWith("HTTP/1.1 304"),
                    HasSubstr("ETag: " + std::string(ConsolePage().tag)), EndsWith("\r\n\r\n")));
  EXPECT_THAT(Get("/", std::string(kBrowser) + "If-None-Match: \"old\"\r\n"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr(length)));
}

// It explains refusals by a table of its own, which has to be that of the outcomes.
TEST_F(WebSocketHttpTest, TheConsoleKnowsEveryOutcome) {
  for (const OutcomeInfo& info : AllOutcomes()) {
    std::string codes;
    if (info.outcome != Outcome::kConnectionLost && info.repeated_close_code != 0) {
      codes = std::to_string(info.repeated_close_code);
    }
    const std::string entry = "['" + std::string(info.name) + "', [" + codes + "], '";
    EXPECT_THAT(std::string(ConsolePage().html), HasSubstr(entry));
  }
}

TEST_F(WebSocketHttpTest, AnythingElseIsNotFound) {
  Start();
  EXPECT_THAT(Get("/nothing"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Get("/ws/"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Get("/echo"), StartsWith("HTTP/1.1 404")) << "it was not enabled";
  EXPECT_THAT(Get("/healthcheck?x=1"), StartsWith("HTTP/1.1 200"));
}

TEST_F(WebSocketHttpTest, OtherMethodsAreToldWhichOnesThereAre) {
  Start();
  EXPECT_THAT(
      Exchange("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"),
      AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"),
            HasSubstr("Connection: close")));
  EXPECT_THAT(Exchange("HEAD /ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, OPTIONS\r\n")));
}

TEST_F(WebSocketHttpTest, HeadIsGetWithoutTheBody) {
  Start();
  EXPECT_THAT(
      Exchange("HEAD /healthcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
      AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: 2\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(WebSocketHttpTest, AConnectionIsKeptForFurtherRequests) {
  Start();
  WebSocketClient client(address());
  for (int i = 0; i < 3; ++i) {
    client.SendRaw("GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_TRUE(client.ReadResponseHeader());
    EXPECT_EQ(client.status(), 200);
    EXPECT_EQ(client.ReadBytes(2), "ok");
  }
  EXPECT_TRUE(client.Handshake({})) << "the last one may be an upgrade";
  client.SendText(Say("direct", "x"));
  EXPECT_THAT(client.ReadText(), HasSubstr("direct"));
}

TEST_F(WebSocketHttpTest, RequestsMayComeAtOnce) {
  Start();
  WebSocketClient client(address());
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += "GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n";
  client.SendRaw(requests);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(client.ReadResponseHeader()) << i;
    EXPECT_EQ(client.ReadBytes(2), "ok");
  }
}

TEST_F(WebSocketHttpTest, AnOldClientIsAnsweredAndLeft) {
  Start();
  EXPECT_THAT(Exchange("GET /healthcheck HTTP/1.0\r\n\r\n"), HasSubstr("\r\n\r\nok"));
}

TEST_F(WebSocketHttpTest, WsWithoutAnUpgradeSaysWhatIsMissing) {
  Start();
  EXPECT_THAT(Get("/ws"), AllOf(StartsWith("HTTP/1.1 426"), HasSubstr("Upgrade: websocket\r\n"),
                                HasSubstr("WebSocket")));
}

TEST_F(WebSocketHttpTest, WrongUpgradesAreRefused) {
  Start();
  const std::string upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  const auto ask = [&](const std::string& headers) {
    return Exchange("GET /ws HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
  };
  EXPECT_THAT(ask(upgrade + "Sec-WebSocket-Version: 8\r\n"),
              AllOf(StartsWith("HTTP/1.1 426"), HasSubstr("Sec-WebSocket-Version: 13\r\n")));
  EXPECT_THAT(ask(upgrade + "Sec-WebSocket-Version: 13\r\n"),
              AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Sec-WebSocket-Key")));
  EXPECT_EQ(StatusOfUpgrade({.target = "/ws?user_id=%zz", .headers = {}}), 400);
  EXPECT_EQ(StatusOfUpgrade({.target = "/ws?user_id=%ff", .headers = {}}), 400) << "not UTF-8";
  EXPECT_EQ(StatusOfUpgrade({.target = "/ws?user_id=" + std::string(256, 'u'), .headers = {}}),
            400);
  EXPECT_EQ(StatusOfUpgrade({.target = "/ws?x=1&user_id=%C3%A4&y", .headers = {}}), 101);
}

TEST_F(WebSocketHttpTest, TheAbsoluteFormOfATargetIsUnderstood) {
  Start();
  const auto ask = [&](const std::string& target) {
    return Exchange("GET " + target +
                    " HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
  };
  EXPECT_THAT(ask("http://localhost:8000/healthcheck?x"), EndsWith("\r\n\r\nok"));
  EXPECT_THAT(ask("http://localhost"), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("crier/")));
  EXPECT_THAT(ask("http://evil.example/healthcheck"), StartsWith("HTTP/1.1 421"));
}

TEST_F(WebSocketHttpTest, OptionsNamesTheMethods) {
  Start();
  const auto ask = [&](const std::string& target) {
    return Exchange("OPTIONS " + target +
                    " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  };
  EXPECT_THAT(ask("/metrics"),
              AllOf(StartsWith("HTTP/1.1 204"), HasSubstr("Allow: GET, HEAD, OPTIONS\r\n"),
                    Not(HasSubstr("Content-Length"))));
  EXPECT_THAT(ask("/ws"), AllOf(StartsWith("HTTP/1.1 204"), HasSubstr("Allow: GET, OPTIONS\r\n")));
  EXPECT_THAT(ask("*"), StartsWith("HTTP/1.1 204"));
  EXPECT_THAT(ask("/nothing"), StartsWith("HTTP/1.1 404"));
}

TEST_F(WebSocketHttpTest, APlusInAQueryIsASpace) {
  Start();
  WebSocketClient client = Connect({.target = "/ws?user_id=Ann+B%2B", .headers = {}});
  client.SendText(Say("direct", "x"));
  EXPECT_THAT(client.ReadText(), HasSubstr("\"user_id\":\"Ann B+\""));
}

TEST_F(WebSocketHttpTest, HealthIsToldBeyondTheLimitOfConnections) {
  connection_limits = {.total = 2};
  Start();
  const WebSocketClient first = Connect();
  {
    const WebSocketClient second = Connect();
    EXPECT_THAT(Get("/healthcheck"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(Get("/metrics"), HasSubstr("\ncrier_connections 2\n"));
    EXPECT_THAT(Get("/"), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After")));
    EXPECT_EQ(StatusOfUpgrade({}), 503);
    // The reserve is for a moment each, and for a few.
    std::vector<WebSocketClient> silent;
    for (size_t i = 0; i < ConnectionTable::kReserve; ++i) silent.emplace_back(address());
    WebSocketClient over(address());
    ASSERT_TRUE(over.ReadResponseHeader());
    EXPECT_EQ(over.status(), 503);
    for (WebSocketClient& client : silent) EXPECT_TRUE(client.WaitForEnd());
    EXPECT_THAT(Get("/healthcheck"), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_TRUE(Eventually([&] { return OpenConnections() == 1; }));
  EXPECT_EQ(StatusOfUpgrade({}), 101);
}

TEST_F(WebSocketHttpTest, UnknownSubprotocolsAreAnsweredWithoutOne) {
  Start();
  WebSocketClient client = Connect({.headers = {{"Sec-WebSocket-Protocol", "chat.v9, superchat"}}});
  EXPECT_THAT(client.response(), Not(HasSubstr("Sec-WebSocket-Protocol")));
}

TEST_F(WebSocketHttpTest, TheUpgradeNamesTheServerAndNoExtension) {
  Start();
  WebSocketClient client =
      Connect({.headers = {{"Sec-WebSocket-Extensions", "permessage-deflate"}}});
  EXPECT_THAT(client.response(),
              AllOf(HasSubstr("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                    HasSubstr("Server: crier/"), Not(HasSubstr("permessage-deflate"))));
}

TEST_F(WebSocketHttpTest, WhatIsNoRequestIsToldSo) {
  Start();
  EXPECT_THAT(Exchange("hello server, how are you\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Exchange(std::string("\x16\x03\x01\x02", 4) + std::string(200, '\0')),
              StartsWith("HTTP/1.1 400"))
      << "TLS on the plain port";
}

TEST_F(WebSocketHttpTest, ManyMayAskForTheMetricsAtOnce) {
  Start();
  std::vector<WebSocketClient> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(address());
    clients.back().SendRaw("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  for (WebSocketClient& client : clients) {
    ASSERT_TRUE(client.ReadResponseHeader());
    EXPECT_EQ(client.status(), 200);
    EXPECT_THAT(client.ReadBody(), HasSubstr("\ncrier_handler_exceptions_total 0\n"));
    // The connection is kept, and asks again.
    client.SendRaw("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(client.ReadResponseHeader());
    EXPECT_EQ(client.status(), 200);
    EXPECT_TRUE(client.WaitForEnd());
  }
}

TEST_F(WebSocketHttpTest, WhoLeavesBeforeTheMetricsAreThereLeavesNothingBehind) {
  Start();
  for (int i = 0; i < 50; ++i) {
    WebSocketClient client(address());
    client.SendRaw("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (i % 2 == 0) client.Reset();
  }
  EXPECT_TRUE(Eventually([&] { return OpenConnections() == 0; }));
}

TEST_F(WebSocketHttpTest, StopDoesNotWaitForWhoAsksForMetrics) {
  Start();
  std::vector<WebSocketClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(address());
    clients.back().SendRaw("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  server().Stop();
  EXPECT_EQ(OpenConnections(), 0u);
}

TEST_F(WebSocketHttpTest, AHeaderHasALimit) {
  Start();
  EXPECT_THAT(Exchange("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + std::string(9000, 'c') +
                       "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(Exchange("GET /" + std::string(20'000, 'a')), StartsWith("HTTP/1.1 431"));
}

TEST_F(WebSocketHttpTest, HeadersThatDoNotEndAreCounted) {
  shards = 1;
  engine_options.memory_budget = 100 << 10;
  Start();
  const auto kept = [&] {
    return Sum([](const ShardMetrics& metrics) {
      return metrics.memory[static_cast<size_t>(MemoryKind::kInput)].value();
    });
  };
  std::vector<WebSocketClient> clients;
  // Some of it is read as fields, and the rest waits for the end of its line.
  const std::string field = "Cookie: " + std::string(3000, 'c');
  for (int i = 0; i < 40; ++i) {
    clients.emplace_back(address()).SendRaw("GET / HTTP/1.1\r\nHost: localhost\r\n" + field +
                                            "\r\n" + field);
  }
  ASSERT_TRUE(clients.back().ReadResponseHeader());
  EXPECT_EQ(clients.back().status(), 503);
  EXPECT_THAT(clients.back().ReadBody(), HasSubstr("memory"));
  EXPECT_GT(kept(), 50 << 10);
  // The budget is exact to within a step (MemoryMeter), and each step may be overdrawn by a header.
  EXPECT_LT(kept(), 140 << 10);
  EXPECT_THAT(Get("/healthcheck"), StartsWith("HTTP/1.1 200"));
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return kept() == 0; }));
}

TEST_F(WebSocketHttpTest, ASlowRequestRunsOutOfTime) {
  use_fake_clock = true;
  Start();
  WebSocketClient client(address());
  client.SendRaw("GET / HTTP/1.1\r\nHo");
  ASSERT_TRUE(Eventually([&] { return OpenConnections() == 1; }));
  PassTime(9s);
  EXPECT_TRUE(client.StaysSilent(50ms));
  PassTime(2s);
  EXPECT_TRUE(client.WaitForEnd());
}

TEST_F(WebSocketHttpTest, AfterStopSessionsOnlyQuestionsAreAnswered) {
  Start();
  WebSocketClient old = Connect();
  WebSocketClient kept(address());
  kept.SendRaw("GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(kept.ReadResponseHeader());
  kept.ReadBytes(2);
  server().SetReady(false);
  server().StopSessions();
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(Get("/healthcheck"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(StatusOfUpgrade({}), 503);
  EXPECT_FALSE(kept.Handshake({}));
  EXPECT_EQ(kept.status(), 503);
  old.SendText(Say("direct", "still here"));
  EXPECT_THAT(old.ReadText(), HasSubstr("still here"));
}

TEST_F(WebSocketHttpTest, StopTellsTheSessions) {
  Start();
  WebSocketClient client = Connect();
  client.SendText(Say("ping", ""));
  client.ReadText();
  std::thread stopping([&] { server().Stop(); });
  const auto close = client.ReadClose();
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1001);
  EXPECT_THAT(close->close_reason(), StartsWith("SHUTDOWN"));
  client.SendClose(1001);
  stopping.join();
  EXPECT_EQ(EndedCount(Outcome::kShutdown), 1);
  EXPECT_EQ(ClosedErrors(), 0);
}

TEST_F(WebSocketHttpTest, EchoSendsMessagesBack) {
  websocket_options.enable_echo = true;
  Start();
  WebSocketClient client = Connect({.target = "/echo", .headers = {}});
  client.SendText("Grüße");
  EXPECT_EQ(client.ReadText(), "Grüße");
  const std::string large(1'000'000, '\xFE');
  std::thread sender([&] { client.SendFrame(kBinary, large); });
  const auto frame = client.ReadFrame();
  sender.join();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->opcode, kBinary);
  EXPECT_TRUE(frame->payload == large);
  const auto close = client.CloseNicely(1000);
  ASSERT_TRUE(close);
  EXPECT_EQ(close->close_code(), 1000);
}

}  // namespace
}  // namespace crier::testing
