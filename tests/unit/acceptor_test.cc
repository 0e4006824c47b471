#include "server/net/acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/net/socket_options.h"

namespace crier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A client's end of a connection.
class Client {
 public:
  Client() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}

  // `address` as Acceptor::addresses gives it: "127.0.0.1:PORT".
  void Connect(const std::string& address) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    ASSERT_EQ(::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
    ASSERT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0)
        << std::strerror(errno);
  }

  // Reads what there is; true once the peer has closed.
  bool Closed() {
    char buffer[256];
    while (true) {
      const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (n > 0) {
        received_.append(buffer, static_cast<size_t>(n));
      } else {
        return n == 0 || errno != EAGAIN;
      }
    }
  }
  const std::string& received() const { return received_; }

 private:
  UniqueFd fd_;
  std::string received_;
};

void SayNo(int fd, RefusalKind) { ::send(fd, "no", 2, MSG_NOSIGNAL | MSG_DONTWAIT); }

class AcceptorTest : public ::testing::Test {
 protected:
  void Open(size_t limit, const std::string& addresses = "127.0.0.1:0") {
    table_ = std::make_unique<ConnectionTable>(
        ConnectionTable::Limits{.total = limit, .per_address = 0}, &metrics_);
    acceptor_ = MakeAcceptor();
    const absl::Status status = acceptor_->Listen(addresses);
    ASSERT_TRUE(status.ok()) << status;
    acceptor_->Start();
  }

  std::unique_ptr<Acceptor> MakeAcceptor() {
    return std::make_unique<Acceptor>(
        io_, table_.get(),
        [this](AcceptedConnection connection) { accepted_.push_back(std::move(connection)); },
        &SayNo);
  }

  // Runs the loop until `condition` holds; false after a while.
  bool RunUntil(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  Metrics metrics_{1};
  boost::asio::io_context io_{1};
  std::unique_ptr<ConnectionTable> table_;
  std::vector<AcceptedConnection> accepted_;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, AConnectionComesNonBlockingWithItsPeerAndItsPlace) {
  Open(10);
  Client client;
  client.Connect(acceptor_->addresses());
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  const AcceptedConnection& connection = accepted_.front();
  EXPECT_EQ(connection.peer, "127.0.0.1");
  EXPECT_NE(::fcntl(connection.fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(connection.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  ::getsockopt(connection.fd.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
  EXPECT_NE(no_delay, 0);
  EXPECT_EQ(table_->size(), 1u);
  accepted_.clear();
  EXPECT_EQ(table_->size(), 0u);
  EXPECT_TRUE(client.Closed());
}

TEST_F(AcceptorTest, MoreThanOneBatchIsAccepted) {
  Open(1000);
  std::vector<Client> clients(Acceptor::kBatch * 2 + 5);
  for (Client& client : clients) client.Connect(acceptor_->addresses());
  EXPECT_TRUE(RunUntil([&] { return accepted_.size() == clients.size(); })) << accepted_.size();
}

TEST_F(AcceptorTest, OverTheCapIsToldSoAndClosed) {
  Open(2);
  std::vector<Client> clients(5);
  for (Client& client : clients) client.Connect(acceptor_->addresses());
  ASSERT_TRUE(
      RunUntil([&] { return clients[2].Closed() && clients[3].Closed() && clients[4].Closed(); }));
  EXPECT_EQ(accepted_.size(), 2u);
  EXPECT_EQ(clients[4].received(), "no");
  EXPECT_FALSE(clients[0].Closed());
  accepted_.clear();
  Client next;
  next.Connect(acceptor_->addresses());
  EXPECT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
}

TEST_F(AcceptorTest, SeveralAddressesAreServedAtOnce) {
  Open(10, "127.0.0.1:0,localhost:0");
  const std::string addresses = acceptor_->addresses();
  const size_t comma = addresses.find(',');
  ASSERT_NE(comma, std::string::npos);
  Client first;
  Client second;
  first.Connect(addresses.substr(0, comma));
  // The name may stand for ::1 too; on the same port.
  second.Connect(addresses.substr(comma + 1));
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 2; }));
}

TEST_F(AcceptorTest, TheUnspecifiedIpv6AddressTakesIpv4Too) {
  const UniqueFd probe(::socket(AF_INET6, SOCK_STREAM, 0));
  if (!probe.valid()) return;  // a kernel without IPv6
  Open(10, "[::]:0");
  EXPECT_THAT(acceptor_->addresses(), HasSubstr("[::]:"));
  Client client;
  client.Connect(acceptor_->addresses());
  ASSERT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
  EXPECT_EQ(accepted_.front().peer, "127.0.0.1");
}

TEST_F(AcceptorTest, ATakenPortIsNamed) {
  Open(10);
  const std::string taken = acceptor_->addresses();
  const std::unique_ptr<Acceptor> second = MakeAcceptor();
  const absl::Status status = second->Listen(taken);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(taken), HasSubstr("taken"), Not(HasSubstr("\n"))));
}

TEST_F(AcceptorTest, AnAddressOfAnotherMachineIsNamed) {
  table_ = std::make_unique<ConnectionTable>(ConnectionTable::Limits{.total = 1});
  const std::unique_ptr<Acceptor> acceptor = MakeAcceptor();
  // 192.0.2.0/24 is for documentation (RFC 5737).
  const absl::Status status = acceptor->Listen("192.0.2.1:0");
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("192.0.2.1:0"), HasSubstr("no such address")));
}

TEST_F(AcceptorTest, AfterStopNobodyIsAccepted) {
  Open(10);
  const std::string address = acceptor_->addresses();
  ASSERT_TRUE(RunUntil([&] { return io_.poll() == 0; }));
  acceptor_->Stop();
  io_.restart();
  io_.run();
  Client client;
  EXPECT_EQ(acceptor_->addresses(), address);
  // Nobody listens: the port can be had again.
  const std::unique_ptr<Acceptor> second = MakeAcceptor();
  EXPECT_TRUE(second->Listen(address).ok());
}

TEST_F(AcceptorTest, HandlersThatComeAfterItsEndTouchNothing) {
  Open(10);
  Client client;
  client.Connect(acceptor_->addresses());
  acceptor_.reset();
  io_.restart();
  io_.run();
  EXPECT_TRUE(accepted_.empty());
}

// Fills the process's descriptor table for the time of a test.
class AcceptorWithoutDescriptorsTest : public AcceptorTest {
 protected:
  void SetUp() override {
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    // UndefinedBehaviorSanitizer opens a pipe to look at an object of a class that it has not seen
    // before, and takes one that it cannot look at for a fault. So let it see these now.
    spdlog::debug("for the sanitizer");
    boost::asio::steady_timer timer(io_, std::chrono::milliseconds(0));
    timer.async_wait([](boost::system::error_code) {});
    io_.run();
    io_.restart();
  }
  void TearDown() override { GiveBack(); }

  void UseUp() {
    const rlimit low{.rlim_cur = 128, .rlim_max = before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    while (true) {
      UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!fd.valid()) break;
      held_.push_back(std::move(fd));
    }
    ASSERT_EQ(errno, EMFILE);
  }
  void GiveBack() {
    held_.clear();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }

  rlimit before_{};
  std::vector<UniqueFd> held_;
};

TEST_F(AcceptorWithoutDescriptorsTest, EveryClientIsRefusedAndLaterOnesAreServed) {
  Open(1000);
  std::vector<Client> clients(20);
  UseUp();
  for (Client& client : clients) client.Connect(acceptor_->addresses());
  EXPECT_TRUE(RunUntil([&] {
    for (Client& client : clients) {
      if (!client.Closed()) return false;
    }
    return true;
  }));
  EXPECT_EQ(clients.back().received(), "no");
  EXPECT_TRUE(accepted_.empty());
  EXPECT_EQ(metrics_.connections().refused[static_cast<size_t>(RefusalKind::kDescriptors)].value(),
            clients.size());
  GiveBack();
  Client next;
  next.Connect(acceptor_->addresses());
  EXPECT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
}

TEST_F(AcceptorWithoutDescriptorsTest, WithoutAReserveItWaitsInsteadOfSpinning) {
  table_ = std::make_unique<ConnectionTable>(ConnectionTable::Limits{.total = 10});
  Client client;
  // The loop's own descriptors are opened by its first user.
  const boost::asio::posix::stream_descriptor first_user(io_);
  UseUp();
  acceptor_ = MakeAcceptor();  // finds no descriptor for its reserve
  held_.pop_back();
  ASSERT_TRUE(acceptor_->Listen("127.0.0.1:0").ok());
  acceptor_->Start();
  client.Connect(acceptor_->addresses());

  size_t handlers = 0;
  const auto end = std::chrono::steady_clock::now() + 4 * Acceptor::kRetryDelay;
  while (std::chrono::steady_clock::now() < end) {
    io_.restart();
    handlers += io_.run_one_until(end);
  }
  EXPECT_LT(handlers, 20u);
  EXPECT_TRUE(accepted_.empty());
  GiveBack();
  EXPECT_TRUE(RunUntil([&] { return accepted_.size() == 1; }));
}

TEST(SocketOptionsTest, AreWhatTheKernelThenSays) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  const auto value_of = [&](int option) {
    int value = 0;
    socklen_t size = sizeof value;
    ::getsockopt(fd.get(), IPPROTO_TCP, option, &value, &size);
    return value;
  };
  EXPECT_TRUE(SetNoDelay(fd.get()));
  EXPECT_TRUE(SetNotSentLowWater(fd.get()));
  EXPECT_NE(value_of(TCP_NODELAY), 0);
  EXPECT_EQ(value_of(TCP_NOTSENT_LOWAT), 16 << 10);
  EXPECT_FALSE(SetNoDelay(-1));
}

}  // namespace
}  // namespace crier
