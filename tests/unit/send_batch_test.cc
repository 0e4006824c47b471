// Sends that leave together, over real sockets.
#include "server/transport/send_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <deque>
#include <string>
#include <vector>

#include "server/net/unique_fd.h"
#include "tests/support/descriptors.h"

namespace crier {
namespace {

using ::testing::ElementsAre;

class SendBatchTest : public ::testing::Test {
 protected:
  struct Sender final : SendBatch::Sender {
    void OnSent(ssize_t result) override {
      results.push_back(result);
      order->push_back(this);
    }
    std::vector<ssize_t> results;
    std::vector<Sender*>* order = nullptr;
    UniqueFd socket;
    UniqueFd peer;
  };

  void SetUp() override {
    const absl::Status status = batch_.Start();
    ASSERT_TRUE(status.ok()) << status << ": the tests need a kernel that has io_uring";
    ASSERT_TRUE(batch_.available());
  }

  Sender& NewSender() {
    Sender& sender = senders_.emplace_back();
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    sender.socket = UniqueFd(fds[0]);
    sender.peer = UniqueFd(fds[1]);
    sender.order = &order_;
    return sender;
  }
  void Add(Sender& sender, std::string_view bytes) {
    batch_.Add(&sender, sender.socket.get(), bytes);
  }
  static std::string Received(const Sender& sender) {
    char bytes[4096];
    const ssize_t count = ::recv(sender.peer.get(), bytes, sizeof(bytes), 0);
    return count < 0 ? "" : std::string(bytes, static_cast<size_t>(count));
  }

  SendBatch batch_;
  std::deque<Sender> senders_;
  std::vector<Sender*> order_;
};

TEST_F(SendBatchTest, NothingLeavesBeforeSubmitAndThenAllOfIt) {
  Sender& first = NewSender();
  Sender& second = NewSender();
  Add(first, "one");
  Add(second, "two!");
  EXPECT_EQ(Received(first), "");
  batch_.Submit();
  EXPECT_THAT(first.results, ElementsAre(3));
  EXPECT_THAT(second.results, ElementsAre(4));
  EXPECT_THAT(order_, ElementsAre(&first, &second));
  EXPECT_EQ(Received(first), "one");
  EXPECT_EQ(Received(second), "two!");
}

TEST_F(SendBatchTest, AnEmptyBatchDoesNothing) {
  batch_.Submit();
  EXPECT_TRUE(order_.empty());
}

TEST_F(SendBatchTest, ResultsAreThoseOfSend) {
  Sender& full = NewSender();
  const std::string block(64 << 10, 'x');
  ssize_t taken = 0;
  do {
    taken = ::send(full.socket.get(), block.data(), block.size(), MSG_DONTWAIT);
  } while (taken == static_cast<ssize_t>(block.size()));
  while (::send(full.socket.get(), "x", 1, MSG_DONTWAIT) == 1) continue;
  Sender& gone = NewSender();
  gone.peer.reset();
  Sender& closed = NewSender();
  Sender& well = NewSender();
  batch_.Add(&closed, 1 << 20, "no such descriptor");
  Add(full, "no room");
  Add(gone, "nobody there");
  Add(well, "fine");
  batch_.Submit();
  EXPECT_THAT(full.results, ElementsAre(-EAGAIN));
  EXPECT_THAT(gone.results, ElementsAre(-EPIPE));
  EXPECT_THAT(closed.results, ElementsAre(-EBADF));
  EXPECT_THAT(well.results, ElementsAre(4)) << "one that fails does not hold up the others";
  EXPECT_TRUE(batch_.available());
}

TEST_F(SendBatchTest, MoreThanTheRingHoldsLeavesInRounds) {
  constexpr int kSenders = 1000;
  // Two for each sender, and some for the process.
  if (const std::string why = testing::AllowDescriptors(2 * kSenders + 100); !why.empty()) {
    GTEST_SKIP() << why;
  }
  std::vector<Sender*> expected;
  for (int i = 0; i < kSenders; ++i) expected.push_back(&NewSender());
  for (Sender* sender : expected) Add(*sender, "x");
  EXPECT_GT(order_.size(), 0u) << "a full batch is submitted";
  EXPECT_LT(order_.size(), expected.size());
  batch_.Submit();
  EXPECT_EQ(order_, expected);
  for (const Sender* sender : expected) {
    EXPECT_THAT(sender->results, ElementsAre(1));
    EXPECT_EQ(Received(*sender), "x");
  }
}

TEST_F(SendBatchTest, ABatchIsUsedAgainAndAgain) {
  Sender& sender = NewSender();
  for (int round = 0; round < 2000; ++round) {
    Add(sender, "round");
    batch_.Submit();
    ASSERT_EQ(Received(sender), "round");
  }
  EXPECT_EQ(sender.results, std::vector<ssize_t>(2000, 5));
}

TEST(SendBatchWithoutARing, IsNotAvailable) {
  const SendBatch batch;
  EXPECT_FALSE(batch.available());
}

}  // namespace
}  // namespace crier
