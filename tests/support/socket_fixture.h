// A socket of the server's, its peer, and a loop, without a server.
#ifndef CRIER_TESTS_SUPPORT_SOCKET_FIXTURE_H_
#define CRIER_TESTS_SUPPORT_SOCKET_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <string_view>

#include "server/net/unique_fd.h"
#include "server/transport/poller.h"

namespace crier::testing {

class SocketPairTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(poller_.Start().ok()); }
  void TearDown() override {
    poller_.Stop();
    Run();
  }

  // The server's end; the other one is peer_.
  UniqueFd MakePair() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    peer_ = UniqueFd(fds[1]);
    return UniqueFd(fds[0]);
  }

  // Runs the loop until nothing is ready.
  void Run() {
    io_.restart();
    while (io_.poll() > 0) continue;
  }
  void PeerSends(std::string_view bytes) {
    ASSERT_EQ(::send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // All that has come to the peer by now, or comes when there is room.
  std::string PeerReads() {
    std::string all;
    char bytes[4096];
    ssize_t count;
    while ((count = ::recv(peer_.get(), bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
      all.append(bytes, static_cast<size_t>(count));
      Run();
    }
    peer_at_end_ = count == 0;
    return all;
  }

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  Poller poller_{io_};
  UniqueFd peer_;
  bool peer_at_end_ = false;  // as PeerReads saw it
};

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_SOCKET_FIXTURE_H_
