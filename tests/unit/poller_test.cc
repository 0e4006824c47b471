// Readiness, and what becomes of exceptions in those who are called.
#include "server/transport/poller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "server/net/unique_fd.h"

namespace crier {
namespace {

using ::testing::ElementsAre;

class FakeTarget final : public Poller::Target {
 public:
  explicit FakeTarget(std::function<void()> action = [] {}) : action_(std::move(action)) {}

  void OnReady(uint32_t) override {
    uint64_t count;
    [[maybe_unused]] const ssize_t size = ::read(fd(), &count, sizeof count);
    ++ready;
    action_();
  }
  void OnException() override { ++exceptions; }

  int fd() const { return fd_.get(); }
  void MakeReady() {
    const uint64_t one = 1;
    ASSERT_EQ(::write(fd(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }

  int ready = 0;
  int exceptions = 0;

 private:
  UniqueFd fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  std::function<void()> action_;
};

class PollerTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(poller_.Start().ok()); }
  void TearDown() override {
    poller_.Stop();
    Run();
  }
  void Run() {
    io_.restart();
    while (io_.poll() > 0) continue;
  }

  boost::asio::io_context io_;
  Counter counter_;
  Poller poller_{io_, &counter_};
};

TEST_F(PollerTest, ATargetThatThrowsIsToldAndTheOthersOfItsBatchAreCalled) {
  FakeTarget first, broken([] { throw std::bad_alloc(); }), last;
  for (FakeTarget* target : {&first, &broken, &last}) {
    ASSERT_TRUE(poller_.Add(target->fd(), EPOLLIN, target));
    target->MakeReady();
  }
  Run();
  EXPECT_EQ(first.ready, 1);
  EXPECT_EQ(last.ready, 1);
  EXPECT_EQ(broken.exceptions, 1);
  EXPECT_EQ(first.exceptions + last.exceptions, 0);
  EXPECT_EQ(counter_.value(), 1u);
  // And the set goes on.
  first.MakeReady();
  Run();
  EXPECT_EQ(first.ready, 2);
}

TEST_F(PollerTest, ADeferredTaskThatThrowsIsItsTargetsAndTheOthersRunInOrder) {
  FakeTarget target;
  std::vector<std::string> ran;
  poller_.Defer([&] { ran.emplace_back("first"); });
  poller_.Defer([] { throw std::bad_alloc(); }, &target);
  poller_.Defer([] { throw 7; });
  poller_.Defer([&] { ran.emplace_back("last"); });
  Run();
  EXPECT_THAT(ran, ElementsAre("first", "last"));
  EXPECT_EQ(target.exceptions, 1);
  EXPECT_EQ(counter_.value(), 2u);
  poller_.Defer([&] { ran.emplace_back("later"); });
  Run();
  EXPECT_THAT(ran, ElementsAre("first", "last", "later"));
}

}  // namespace
}  // namespace crier
