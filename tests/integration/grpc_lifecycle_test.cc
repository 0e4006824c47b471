// How sessions and the server end.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "server/net/unique_fd.h"
#include "tests/support/grpc_fixture.h"

namespace crier::testing {
namespace {

class GrpcLifecycleTest : public GrpcTest {
 protected:
  // A plain TCP connection to the server, whose reads give up after kPatience.
  UniqueFd ConnectSocket() {
    const std::string& address = server().addresses();
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&peer), sizeof peer), 0);
    return fd;
  }
};

TEST_F(GrpcLifecycleTest, DrainTellsTheSlotAndThenEndsWithShutdown) {
  StartServer();
  GrpcClient& client = NewClient();
  auto alice = client.Connect("alice");
  auto bob = client.Connect("bob");
  alice->NextWelcome();
  bob->NextWelcome();
  server().StopAccepting();
  std::promise<void> drained;
  engine().Drain(std::chrono::milliseconds(200), [&] { drained.set_value(); });
  for (GrpcStream* stream : {alice.get(), bob.get()}) {
    EXPECT_TRUE(stream->Next(v1::Event::kDrain).drain().has_reconnect_after());
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(ReasonOf(status), "SHUTDOWN");
  }
  ASSERT_EQ(drained.get_future().wait_for(kPatience), std::future_status::ready);
  EXPECT_EQ(sessions(), 0);
  EXPECT_EQ(ended(Outcome::kShutdown), 2u);

  // The channel was told to move, and nobody listens.
  const grpc::Status late = client.Connect("late")->Finish();
  EXPECT_EQ(late.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(late), "") << "it may not have come to this server";
}

TEST_F(GrpcLifecycleTest, AClientThatCancelsHasLeft) {
  StartServer();
  auto alice = ConnectAndFollow("news", "alice");
  alice->Cancel();
  EXPECT_EQ(alice->Finish().error_code(), grpc::StatusCode::CANCELLED);
  Eventually("the session is gone", [&] { return sessions() == 0; });
  EXPECT_EQ(ended(Outcome::kOk), 1u);
  v1::PublishResponse response;
  ASSERT_TRUE(NewClient().Publish(Broadcast("anybody?", "news"), &response).ok());
  EXPECT_EQ(response.recipients(), 0u);
}

TEST_F(GrpcLifecycleTest, AConnectionThatVanishesTakesItsSessionsAlong) {
  StartServer();
  auto client = std::make_unique<GrpcClient>(server().addresses());
  std::vector<std::unique_ptr<GrpcStream>> streams;
  for (int i = 0; i < 10; ++i) {
    streams.push_back(client->Connect());
    streams.back()->NextWelcome();
  }
  EXPECT_EQ(sessions(), 10);
  streams.clear();
  client.reset();
  Eventually("the sessions are gone", [&] { return sessions() == 0; });
  Eventually("the connection is given back", [&] { return open_connections() == 0; });
}

TEST_F(GrpcLifecycleTest, APeerThatAnswersNoPingIsDropped) {
  grpc_options_.keepalive_time = std::chrono::milliseconds(100);
  grpc_options_.keepalive_timeout = std::chrono::milliseconds(100);
  StartServer();
  const UniqueFd fd = ConnectSocket();
  // RFC 9113, section 3.4: the preface and an empty SETTINGS frame. Then silence.
  const std::string hello("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  ASSERT_EQ(::send(fd.get(), hello.data(), hello.size(), 0), 33);
  char buffer[4096];
  ssize_t n;
  while ((n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) {
  }
  EXPECT_EQ(n, 0) << "the server did not close the connection";
  Eventually("the connection is given back", [&] { return open_connections() == 0; });
}

TEST_F(GrpcLifecycleTest, WhatIsNotHttp2IsDropped) {
  StartServer();
  const UniqueFd fd = ConnectSocket();
  const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  ASSERT_EQ(::send(fd.get(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  char buffer[4096];
  while (::recv(fd.get(), buffer, sizeof buffer, 0) > 0) {
  }
  Eventually("the connection is given back", [&] { return open_connections() == 0; });
  Connect()->Settle();
}

TEST_F(GrpcLifecycleTest, StopEndsWhatIsOpen) {
  StartServer();
  auto connect = ConnectAs("alice");
  auto listen = Listen({});
  GrpcStream reflection(NewClient().channel(),
                        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {});
  reflection.SendBytes(std::string("\x3a\x01*", 3));
  EXPECT_FALSE(reflection.NextBytes().empty());
  server().Stop();
  EXPECT_FALSE(connect->Finish().ok());
  EXPECT_FALSE(listen->Finish().ok());
  EXPECT_FALSE(reflection.Finish().ok());
  EXPECT_EQ(sessions(), 0);
  EXPECT_EQ(open_connections(), 0u);
}

TEST_F(GrpcLifecycleTest, StopEndsAStreamThatTakesNothing) {
  StartServer();
  auto publisher = ConnectAs("alice");
  auto sleeper = ConnectAs("sleeper");
  const std::string body(60'000, 'x');
  while (lagging() == 0) {
    publisher->Send(AsFrame(Broadcast(body)));
    publisher->NextMessage();
  }
  StopServer();
  EXPECT_FALSE(sleeper->Finish().ok());
}

TEST_F(GrpcLifecycleTest, AServerThatNeverStartedStops) {
  StartServer();
  StopServer();
  StopServer();
  StartServer();
  Connect()->Settle();
}

TEST_F(GrpcLifecycleTest, ComingAndGoingInAnyStateLeavesNothing) {
  StartServer();
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([this, c] {
      GrpcClient client(server().addresses());
      for (int i = 0; i < 100; ++i) {
        auto stream = client.Connect(c % 2 == 0 ? "even" : "odd");
        // Left at another point each time: at once, after the welcome, in the middle of traffic.
        if (i % 4 > 0) stream->NextWelcome();
        if (i % 4 > 1) stream->Send(AsFrame(Broadcast("passing by")));
        if (i % 4 > 2) stream->CloseSending();
      }
    });
  }
  for (std::thread& thread : clients) thread.join();
  Eventually("no session is left", [&] { return sessions() == 0; });
  Eventually("no connection is left", [&] { return open_connections() == 0; });
  Connect()->Settle();
}

TEST_F(GrpcLifecycleTest, StopInTheMiddleOfTraffic) {
  for (int round = 0; round < 5; ++round) {
    StartServer();
    std::vector<std::thread> clients;
    std::atomic<int> in{0};
    for (int c = 0; c < 3; ++c) {
      clients.emplace_back([&in, address = server().addresses()] {
        GrpcClient client(address);
        auto stream = client.Connect("alice");
        ++in;
        while (stream->Send(AsFrame(Broadcast("and on"))) && stream->Next().has_value()) {
        }
      });
    }
    Eventually("all are in", [&] { return in == 3; });
    server().Stop(std::chrono::milliseconds(0));
    for (std::thread& thread : clients) thread.join();
    StopServer();
  }
}

}  // namespace
}  // namespace crier::testing
