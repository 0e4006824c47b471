// A server that is stopped for longer than any of its timeouts, as by SIGSTOP or a machine that is
// suspended: nobody was silent, the server did not listen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/crierd_process.h"
#include "tests/support/http2_client.h"
#include "tests/support/loopback.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr int kWebSockets = 40;
constexpr int kGrpcSessions = 10;
// Longer than --ping_interval and --ping_timeout together, and than --idle_timeout.
constexpr seconds kStoppedFor{6};

constexpr char kBefore[] = "before the pause";
constexpr char kAfter[] = "after the pause";
constexpr char kLater[] = "later";

std::string Broadcast(const std::string& body) {
  return R"({"action_type":"broadcast","body":")" + body + R"("})";
}

// Clients that read all the time, each on a thread of its own, and answer pings: healthy ones.
class HealthyClients {
 public:
  explicit HealthyClients(const CrierdProcess& crierd) {
    for (int i = 0; i < kWebSockets; ++i) {
      threads_.emplace_back([this, address = crierd.http()] { ReadWebSocket(address); });
    }
    for (int i = 0; i < kGrpcSessions; ++i) {
      threads_.emplace_back([this, address = crierd.grpc()] { ReadCall(address); });
    }
  }
  ~HealthyClients() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  // How many of them have received it.
  int have_before() const { return have_before_; }
  int have_after() const { return have_after_; }
  int have_later() const { return have_later_; }

 private:
  static constexpr milliseconds kAtATime{100};

  void ReadWebSocket(const std::string& address) {
    WebSocketClient client(address, {.target = "/ws", .headers = {}});
    while (!stop_) Note(client.ReadText(kAtATime));
  }
  void ReadCall(const std::string& address) {
    Http2Client client(address);
    const int32_t id = client.Start({{":method", "POST"},
                                     {":scheme", "http"},
                                     {":path", "/crier.v1.Messaging/Connect"},
                                     {":authority", "localhost"},
                                     {"te", "trailers"},
                                     {"content-type", "application/grpc"}});
    // An empty Hello: until its first frame a session gets nothing of the empty topic.
    client.Send(id, std::string("\0\0\0\0\2\x0a\0", 7));
    size_t noted = 0;
    while (!stop_) {
      client.Await([&] { return client.stream(id).data.size() > noted; }, kAtATime);
      const std::string& data = client.stream(id).data;
      Note(data.substr(noted));  // each broadcast comes alone
      noted = data.size();
    }
  }
  void Note(const std::string& text) {
    have_before_ += text.find(kBefore) != std::string::npos;
    have_after_ += text.find(kAfter) != std::string::npos;
    have_later_ += text.find(kLater) != std::string::npos;
  }

  std::atomic<bool> stop_{false};
  std::atomic<int> have_before_{0};
  std::atomic<int> have_after_{0};
  std::atomic<int> have_later_{0};
  std::vector<std::thread> threads_;
};

class PauseTest : public ::testing::Test {
 protected:
  static constexpr int kAll = kWebSockets + kGrpcSessions;

  // False: it does not come true in time.
  static bool Eventually(const std::function<bool()>& condition) {
    const auto deadline = steady_clock::now() + seconds(20);
    while (!condition()) {
      if (steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  // Stops the server, sends `text`, which then lies in its socket, and returns when the server has
  // stood still for kStoppedFor and goes on. The time itself is what is tested, so the test waits
  // for it, on a socket that the server would have written to.
  void StopForAWhile(WebSocketClient* client, const std::string& text) {
    crierd_.Signal(SIGSTOP);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(crierd_.pid()), &info, WSTOPPED), 0);
    // What it had sent before.
    while (const auto frame = client->ReadFrame(milliseconds(1))) AnswerPing(client, *frame);
    client->SendText(text);
    pollfd polled{.fd = client->fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&polled, 1, static_cast<int>(milliseconds(kStoppedFor).count())), 0)
        << "it was not stopped";
    crierd_.Signal(SIGCONT);
  }

  // True: it is one.
  static bool AnswerPing(WebSocketClient* client, const Frame& frame) {
    if (frame.opcode == kPing) client->SendFrame(kPong, frame.payload);
    return frame.opcode == kPing;
  }

  CrierdProcess crierd_{
      {"--shards=2", "--ping_interval=1s", "--ping_timeout=2s", "--idle_timeout=5s"}};
};

TEST_F(PauseTest, EverySessionLivesOn) {
  ASSERT_TRUE(crierd_.ready());
  HealthyClients clients(crierd_);
  ASSERT_TRUE(Eventually([&] {
    const std::string metrics = HttpGet(crierd_.http(), "/metrics");
    return metrics.find("crier_sessions{transport=\"websocket\"} " + std::to_string(kWebSockets)) !=
               std::string::npos &&
           metrics.find("crier_sessions{transport=\"grpc\"} " + std::to_string(kGrpcSessions)) !=
               std::string::npos;
  }));
  WebSocketClient sender(crierd_.http(), {.target = "/ws", .headers = {}});
  ASSERT_EQ(sender.status(), 101);
  sender.SendText(Broadcast(kBefore));
  ASSERT_TRUE(Eventually([&] { return clients.have_before() == kAll; }));
  ASSERT_THAT(sender.ReadText(), HasSubstr(kBefore));

  StopForAWhile(&sender, Broadcast(kAfter));

  EXPECT_TRUE(Eventually([&] { return clients.have_after() == kAll; }))
      << clients.have_after() << " of " << kAll;
  EXPECT_THAT(sender.ReadText(), HasSubstr(kAfter));
  // Until each has been judged anew: three pings lie further apart than their timeout.
  for (int pings = 0; pings < 3;) {
    const auto frame = sender.ReadFrame();
    ASSERT_TRUE(frame) << pings;
    ASSERT_NE(frame->opcode, kClose) << frame->close_reason();
    if (AnswerPing(&sender, *frame)) ++pings;
  }
  sender.SendText(Broadcast(kLater));
  EXPECT_TRUE(Eventually([&] { return clients.have_later() == kAll; }))
      << clients.have_later() << " of " << kAll;
}

}  // namespace
}  // namespace crier::testing
