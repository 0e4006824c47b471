// A transport's socket: its states, and what its owner is told.
#include "server/transport/socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/socket_fixture.h"

namespace crier {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SocketTest : public testing::SocketPairTest, protected Socket::Owner {
 protected:
  void SetUp() override {
    SocketPairTest::SetUp();
    socket_.emplace(&poller_, MakePair(), static_cast<Socket::Owner*>(this));
  }

  void OnBytes(std::span<char> bytes) override {
    if (throws_) throw 7;
    Told("bytes " + std::string(bytes.data(), bytes.size()));
  }
  void OnEnd(int error) override {
    Told(error == 0 ? "end" : "end by an error");
    socket_->Close();
  }
  void OnWritable() override { Told("writable"); }
  void OnSent(size_t taken) override { Told("sent " + std::to_string(taken)); }
  void OnBroken() override { Told("broken"); }
  void OnLingered() override { Told("lingered"); }
  void OnException() override { Told("exception"); }

  void Told(std::string what) { told_.push_back(std::move(what)); }
  // What the owner was told since the last call.
  std::vector<std::string> Told() {
    Run();
    return std::exchange(told_, {});
  }
  void FillKernel() {
    const std::string block(64 << 10, 'f');
    while (socket_->CanSend()) socket_->Send(block);
  }

  std::optional<Socket> socket_;
  std::vector<std::string> told_;
  bool throws_ = false;
};

TEST_F(SocketTest, BytesComeWhenTheyAreThere) {
  socket_->Start(/*read_now=*/false);
  EXPECT_THAT(Told(), IsEmpty());
  PeerSends("hello");
  EXPECT_THAT(Told(), ElementsAre("bytes hello"));
  peer_.reset();
  EXPECT_THAT(Told(), ElementsAre("end"));
}

TEST_F(SocketTest, BytesThatAreThereAlreadyNeedNoWait) {
  PeerSends("early");
  socket_->Start(/*read_now=*/true);
  EXPECT_THAT(std::exchange(told_, {}), ElementsAre("bytes early"));
  PeerSends("late");
  EXPECT_THAT(Told(), ElementsAre("bytes late"));
}

TEST_F(SocketTest, MoreThanABufferComesInTurns) {
  socket_->Start(/*read_now=*/false);
  const std::string all(40'000, 'a');
  PeerSends(all);
  std::string came;
  for (const std::string& one : Told()) {
    EXPECT_LE(one.size(), 6 + poller_.receive_buffer().size());
    came += one.substr(6);
  }
  EXPECT_TRUE(came == all);
}

TEST_F(SocketTest, NothingComesWhilePausedAndNothingSpins) {
  socket_->Start(/*read_now=*/false);
  socket_->PauseReading();
  PeerSends("waits");
  EXPECT_THAT(Told(), IsEmpty()) << "and Run returns only where nothing is ready";
  socket_->ResumeReading();
  EXPECT_THAT(std::exchange(told_, {}), IsEmpty()) << "never from the call itself";
  EXPECT_THAT(Told(), ElementsAre("bytes waits"));
}

TEST_F(SocketTest, ThatThePeerIsGoneIsNoticedWhilePaused) {
  socket_->Start(/*read_now=*/false);
  socket_->PauseReading();
  PeerSends("last words");
  peer_.reset();
  EXPECT_THAT(Told(), ElementsAre("broken"));
  EXPECT_TRUE(socket_->broken());
  // What it sent before is there for who reads again.
  socket_->ResumeReading();
  EXPECT_THAT(Told(), ElementsAre("bytes last words", "end"));
}

TEST_F(SocketTest, WhatTheKernelDoesNotTakeIsOfferedAgain) {
  socket_->Start(/*read_now=*/false);
  EXPECT_EQ(socket_->Send("hello"), 5u);
  FillKernel();
  EXPECT_FALSE(socket_->CanSend());
  EXPECT_THAT(Told(), IsEmpty());
  PeerReads();
  EXPECT_THAT(Told(), ElementsAre("writable"));
  EXPECT_TRUE(socket_->CanSend());
  // It is watched for bytes as before, and no more for room.
  PeerSends("x");
  EXPECT_THAT(Told(), ElementsAre("bytes x"));
}

TEST_F(SocketTest, AfterASendErrorTheRestIsRead) {
  socket_->Start(/*read_now=*/false);
  PeerSends("goodbye");
  peer_.reset();
  EXPECT_EQ(socket_->Send("too late"), 0u);
  EXPECT_THAT(std::exchange(told_, {}), ElementsAre("broken"));
  EXPECT_FALSE(socket_->CanSend());
  EXPECT_THAT(Told(), ElementsAre("bytes goodbye", "end"));
}

TEST_F(SocketTest, LingeringWaitsForThePeerAndDropsWhatItSends) {
  socket_->Start(/*read_now=*/false);
  socket_->Send("last");
  PeerSends("unread");
  EXPECT_FALSE(socket_->Linger());
  EXPECT_FALSE(socket_->Linger()) << "twice changes nothing";
  EXPECT_EQ(PeerReads(), "last");
  EXPECT_TRUE(peer_at_end_) << "it is told that no more comes";
  PeerSends("more");
  EXPECT_THAT(Told(), IsEmpty());
  peer_.reset();
  EXPECT_THAT(Told(), ElementsAre("lingered"));
  EXPECT_FALSE(socket_->is_open());
}

TEST_F(SocketTest, LingeringIsOverAtOnceWhereThePeerHasLeft) {
  socket_->Start(/*read_now=*/false);
  peer_.reset();
  EXPECT_TRUE(socket_->Linger());
  EXPECT_FALSE(socket_->is_open());
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(SocketTest, AfterCloseNothingIsTold) {
  socket_->Start(/*read_now=*/false);
  FillKernel();
  PeerSends("unread");
  socket_->Close();
  socket_->Close();
  EXPECT_THAT(Told(), IsEmpty());
  EXPECT_EQ(socket_->state(), Socket::State::kClosed);
}

TEST_F(SocketTest, AnExceptionIsItsOwnersBusiness) {
  socket_->Start(/*read_now=*/false);
  throws_ = true;
  PeerSends("x");
  EXPECT_THAT(Told(), ElementsAre("exception"));
}

TEST_F(SocketTest, ASendInABatchIsToldOf) {
  SendBatch batch;
  if (!batch.Start().ok()) GTEST_SKIP() << "no io_uring here";
  socket_->Start(/*read_now=*/false);
  socket_->SendLater(&batch, "together");
  batch.Submit();
  EXPECT_THAT(Told(), ElementsAre("sent 8"));
  EXPECT_EQ(PeerReads(), "together");
  peer_.reset();
  socket_->SendLater(&batch, "too late");
  batch.Submit();
  EXPECT_THAT(std::exchange(told_, {}), ElementsAre("broken", "sent 0"));
}

}  // namespace
}  // namespace crier
