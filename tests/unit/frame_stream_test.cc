// A WebSocket without a server: the order of what is written, and how it ends.
#include "server/websocket/frame_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/socket_fixture.h"
#include "tests/support/websocket_frames.h"

namespace crier {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MaskedFrame;

constexpr int kText = 0x81, kFirstOfText = 0x01, kContinuation = 0x80, kPing = 0x89, kClose = 0x88;
const std::string kCode1000 = "\x03\xE8";

std::string Frame(FrameStart start, std::string_view payload) {
  std::string frame;
  AppendFrame(start, payload, &frame);
  return frame;
}

class FrameStreamTest : public testing::SocketPairTest, protected FrameStream::Owner {
 protected:
  void SetUp() override {
    SocketPairTest::SetUp();
    auto socket = std::make_unique<Socket>(&poller_, MakePair(), nullptr);
    stream_.emplace(std::move(socket), static_cast<FrameStream::Owner*>(this), &shared_,
                    FrameReader::Options{.max_message_bytes = 100'000, .deflate = false});
    stream_->ReadOn();
  }

  void OnMessage(std::string_view payload, bool) override {
    if (throws_) throw 7;
    Told("message " + std::string(payload));
    if (pauses_) stream_->PauseReading();
  }
  bool OnPing() override { return answers_pings_; }
  void OnDrained() override { Told("drained"); }
  void OnEnding(Outcome outcome) override { Told("ending " + std::string(Info(outcome).name)); }
  void OnBroken() override { Told("broken"); }
  void OnOver() override { Told("over"); }
  void OnException() override { Told("exception"); }

  void Told(std::string what) { told_.push_back(std::move(what)); }
  std::vector<std::string> Told() {
    Run();
    return std::exchange(told_, {});
  }
  void FillKernel() {
    while (stream_->socket().CanSend()) {
      stream_->WriteFrame(FrameStart::kBinary, std::string(64 << 10, 'f'));
      stream_->Flush();
    }
    told_.clear();
  }

  MemoryBudget budget_{1 << 20};
  ShardMetrics metrics_;
  MemoryMeter memory_{&budget_, &metrics_};
  FrameReaderShared shared_{.memory = &memory_};
  std::optional<FrameStream> stream_;
  std::vector<std::string> told_;
  bool answers_pings_ = true;
  bool pauses_ = false;
  bool throws_ = false;
};

// --- Writing.

TEST_F(FrameStreamTest, PongsLeaveTogetherAndBeforeOtherFrames) {
  stream_->WriteFrame(FrameStart::kText, "waits");
  PeerSends(MaskedFrame(kPing, "1") + MaskedFrame(kPing, "2"));
  Run();
  EXPECT_EQ(PeerReads(), Frame(FrameStart::kPong, "1") + Frame(FrameStart::kPong, "2") +
                             Frame(FrameStart::kText, "waits"));
}

TEST_F(FrameStreamTest, WhileTheKernelIsFullOnlyTheNewestPongWaits) {
  FillKernel();
  for (const std::string digit : {"1", "2", "3"}) {
    PeerSends(MaskedFrame(kPing, digit));
    Run();
  }
  std::string received = PeerReads();
  Run();
  received += PeerReads();
  EXPECT_TRUE(received.ends_with('f' + Frame(FrameStart::kPong, "3")));
}

TEST_F(FrameStreamTest, APingMayGetNoAnswer) {
  answers_pings_ = false;
  PeerSends(MaskedFrame(kPing, "1"));
  Run();
  EXPECT_EQ(PeerReads(), "");
}

TEST_F(FrameStreamTest, NothingIsSentWhileCorkedAndTheAnswerToTheUpgradeIsFirst) {
  stream_->Cork();
  stream_->Begin("HTTP/1.1 101\r\n\r\n");
  PeerSends(MaskedFrame(kPing, "1") + MaskedFrame(kPing, "2"));
  stream_->Ping();
  stream_->Close(1001, "");
  Run();
  EXPECT_EQ(PeerReads(), "");
  stream_->Uncork();
  EXPECT_EQ(PeerReads(), "HTTP/1.1 101\r\n\r\n" + Frame(FrameStart::kPing, "") +
                             Frame(FrameStart::kClose, "\x03\xE9"));
}

TEST_F(FrameStreamTest, WhatTheKernelCutsIsContinuedWhereItWasCut) {
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    const std::string payload(50'000, static_cast<char>('a' + i % 26));
    stream_->WriteFrame(FrameStart::kBinary, payload);
    expected += Frame(FrameStart::kBinary, payload);
    stream_->Flush();
  }
  EXPECT_GT(stream_->waiting_bytes(), 0u);
  EXPECT_TRUE(PeerReads() == expected);
  EXPECT_EQ(stream_->waiting_bytes(), 0u);
  EXPECT_EQ(Told().back(), "drained");
}

// --- Reading.

TEST_F(FrameStreamTest, NothingIsHandedOnWhilePausedAndNothingIsLost) {
  pauses_ = true;
  PeerSends(MaskedFrame(kText, "1") + MaskedFrame(kText, "2") + MaskedFrame(kText, "3"));
  EXPECT_THAT(Told(), ElementsAre("message 1"));
  EXPECT_TRUE(stream_->HasUnread());
  EXPECT_GT(metrics_.memory[size_t(MemoryKind::kInput)].value(), 0);
  stream_->ReadOn();
  EXPECT_THAT(Told(), ElementsAre("message 2"));
  pauses_ = false;
  PeerSends(MaskedFrame(kText, "4"));
  EXPECT_THAT(Told(), IsEmpty());
  stream_->ReadOn();
  EXPECT_THAT(Told(), ElementsAre("message 3", "message 4"));
  EXPECT_FALSE(stream_->HasUnread());
  EXPECT_EQ(metrics_.memory[size_t(MemoryKind::kInput)].value(), 0);
}

TEST_F(FrameStreamTest, AnExceptionIsItsOwnersBusiness) {
  throws_ = true;
  PeerSends(MaskedFrame(kText, "x"));
  EXPECT_THAT(Told(), ElementsAre("exception"));
  stream_->Abandon(1011);
  EXPECT_EQ(PeerReads(), Frame(FrameStart::kClose, "\x03\xF3"));
  EXPECT_TRUE(stream_->closed_in_form());
  EXPECT_THAT(Told(), IsEmpty());
}

// --- The end.

TEST_F(FrameStreamTest, ThePeersCloseIsAnsweredAndTheSocketClosedAtOnce) {
  PeerSends(MaskedFrame(kText, "bye") + MaskedFrame(kClose, kCode1000 + "reason"));
  EXPECT_THAT(Told(), ElementsAre("message bye", "ending OK", "over"));
  EXPECT_EQ(PeerReads(), Frame(FrameStart::kClose, kCode1000));
  EXPECT_TRUE(peer_at_end_);
  EXPECT_TRUE(stream_->closed_in_form());
}

TEST_F(FrameStreamTest, TheAnswerWaitsForTheKernel) {
  FillKernel();
  PeerSends(MaskedFrame(kClose, kCode1000));
  EXPECT_THAT(Told(), ElementsAre("ending OK"));
  std::string received = PeerReads();
  EXPECT_THAT(Told(), ElementsAre("over"));
  received += PeerReads();
  EXPECT_TRUE(received.ends_with('f' + Frame(FrameStart::kClose, kCode1000)));
}

TEST_F(FrameStreamTest, ACloseOfOursWaitsForThePeersAndHandsOnNothing) {
  PeerSends(MaskedFrame(kFirstOfText, "half"));
  Run();
  stream_->Close(1001, "going");
  EXPECT_EQ(PeerReads(), Frame(FrameStart::kClose, "\x03\xE9going"));
  PeerSends(MaskedFrame(kContinuation, " and half") + MaskedFrame(kText, "more"));
  EXPECT_THAT(Told(), IsEmpty());
  stream_->WriteFrame(FrameStart::kText, "behind the close frame");
  stream_->Ping();
  PeerSends(MaskedFrame(kClose, kCode1000));
  EXPECT_THAT(Told(), ElementsAre("over"));
  EXPECT_EQ(PeerReads(), "");
}

TEST_F(FrameStreamTest, ACloseOfOursReadsWhatWasKept) {
  pauses_ = true;
  PeerSends(MaskedFrame(kText, "1") + MaskedFrame(kText, "2") + MaskedFrame(kClose, kCode1000));
  EXPECT_THAT(Told(), ElementsAre("message 1"));
  stream_->Close(1001, "");
  EXPECT_THAT(Told(), ElementsAre("over"));
}

TEST_F(FrameStreamTest, ABrokenRuleIsToldAndTheSocketLingers) {
  PeerSends(MaskedFrame(kText, "\xFF"));
  EXPECT_THAT(Told(), ElementsAre("ending INVALID_UTF8"));
  EXPECT_EQ(PeerReads(), Frame(FrameStart::kClose, "\x03\xEFINVALID_UTF8: the text is not UTF-8"));
  EXPECT_TRUE(peer_at_end_);
  PeerSends(MaskedFrame(kText, "still talking"));
  EXPECT_THAT(Told(), IsEmpty());
  peer_.reset();
  EXPECT_THAT(Told(), ElementsAre("over"));
}

TEST_F(FrameStreamTest, APeerThatGoesWithoutAWordIsLost) {
  peer_.reset();
  EXPECT_THAT(Told(), ElementsAre("ending CONNECTION_LOST", "over"));
  EXPECT_FALSE(stream_->closed_in_form());
}

TEST_F(FrameStreamTest, ACloseFrameCountsThoughTheSocketIsBroken) {
  PeerSends(MaskedFrame(kText, "last") + MaskedFrame(kClose, kCode1000));
  peer_.reset();
  stream_->Ping();
  EXPECT_THAT(Told(), ElementsAre("broken", "message last", "ending OK", "over"));
  EXPECT_TRUE(stream_->closed_in_form());
}

TEST_F(FrameStreamTest, AHardCloseIsTheEnd) {
  FillKernel();
  stream_->Close(1001, "");
  stream_->HardClose();
  stream_->HardClose();
  EXPECT_THAT(Told(), ElementsAre("over"));
  EXPECT_FALSE(stream_->closed_in_form());
}

TEST_F(FrameStreamTest, ThereIsNoLastWordInsideAFrame) {
  FillKernel();
  stream_->Abandon(1011);
  EXPECT_FALSE(stream_->closed_in_form());
  PeerReads();
  EXPECT_TRUE(peer_at_end_);
  EXPECT_THAT(Told(), IsEmpty());
}

}  // namespace
}  // namespace crier
