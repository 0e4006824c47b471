#include "server/net/handed_over_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "server/net/unique_fd.h"

namespace crier {
namespace {

class HandedOverSocketsTest : public ::testing::Test {
 protected:
  static UniqueFd Socket() { return UniqueFd(::socket(AF_INET, SOCK_STREAM, 0)); }

  void Add(const UniqueFd& fd) { sockets_->Add(fd.get(), *table_.Enter("127.0.0.1")); }

  boost::asio::io_context io_{1};
  ConnectionTable table_{{.total = 2, .per_address = 0}};
  std::optional<HandedOverSockets> sockets_{std::in_place, io_, &table_};
};

TEST_F(HandedOverSocketsTest, AnOpenSocketKeepsItsPlace) {
  const UniqueFd fd = Socket();
  Add(fd);
  EXPECT_EQ(sockets_->Sweep(), 0u);
  EXPECT_EQ(table_.size(), 1u);
}

TEST_F(HandedOverSocketsTest, AClosedSocketGivesItsPlaceBack) {
  UniqueFd fd = Socket();
  Add(fd);
  fd.reset();
  EXPECT_EQ(sockets_->Sweep(), 1u);
  EXPECT_EQ(table_.size(), 0u);
  EXPECT_EQ(sockets_->size(), 0u);
}

TEST_F(HandedOverSocketsTest, AnotherSocketUnderTheSameNumberIsNotTheOldOne) {
  UniqueFd fd = Socket();
  Add(fd);
  const UniqueFd other = Socket();
  ASSERT_EQ(::dup2(other.get(), fd.get()), fd.get());
  EXPECT_EQ(sockets_->Sweep(), 1u);
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(HandedOverSocketsTest, AFileUnderTheSameNumberIsNotTheOldSocket) {
  UniqueFd fd = Socket();
  Add(fd);
  const UniqueFd file(::open("/dev/null", O_RDONLY));
  ASSERT_EQ(::dup2(file.get(), fd.get()), fd.get());
  EXPECT_EQ(sockets_->Sweep(), 1u);
}

TEST_F(HandedOverSocketsTest, ANumberGivenOutAgainReplacesTheOldEntry) {
  UniqueFd fd = Socket();
  Add(fd);
  const UniqueFd other = Socket();
  ASSERT_EQ(::dup2(other.get(), fd.get()), fd.get());
  Add(fd);
  EXPECT_EQ(table_.size(), 1u);
  EXPECT_EQ(sockets_->size(), 1u);
  EXPECT_EQ(sockets_->Sweep(), 0u);
}

TEST_F(HandedOverSocketsTest, AFullTableSweepsBeforeItRefuses) {
  UniqueFd first = Socket();
  UniqueFd second = Socket();
  Add(first);
  Add(second);
  EXPECT_EQ(table_.size(), 2u);
  first.reset();
  EXPECT_TRUE(table_.Enter("127.0.0.1"));
}

TEST_F(HandedOverSocketsTest, ATimerSweepsWithoutBeingAsked) {
  UniqueFd fd = Socket();
  Add(fd);
  fd.reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (table_.size() > 0 && std::chrono::steady_clock::now() < deadline) {
    io_.run_one_until(deadline);
  }
  EXPECT_EQ(table_.size(), 0u);
  // With nothing left to look after, the timer rests.
  EXPECT_EQ(io_.poll(), 0u);
}

TEST_F(HandedOverSocketsTest, ItsEndGivesEveryPlaceBack) {
  const UniqueFd fd = Socket();
  Add(fd);
  sockets_.reset();
  EXPECT_EQ(table_.size(), 0u);
  // The table asks nobody any more, and the timer's handler touches nothing.
  const auto a = table_.Enter("127.0.0.1");
  const auto b = table_.Enter("127.0.0.1");
  EXPECT_FALSE(table_.Enter("127.0.0.1"));
  io_.run();
}

}  // namespace
}  // namespace crier
