// The write side of a WebSocket without a WebSocket: what a GatherStream does with writes.
#include "server/websocket/gather_stream.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <chrono>
#include <optional>
#include <string>

namespace crier {
namespace {

using boost::system::error_code;
using std::chrono_literals::operator""s;

class GatherStreamTest : public ::testing::Test, protected GatherStream::Owner {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    peer_ = UniqueFd(fds[1]);
    ASSERT_TRUE(poller_.Start().ok());
    stream_.emplace(&poller_, GatherStream::Handle{.fd = UniqueFd(fds[0])},
                    static_cast<GatherStream::Owner*>(this));
  }
  void TearDown() override {
    if (stream_) {
      stream_->HardClose();
      Run();
    }
    poller_.Stop();
    Run();
  }

  void OnStreamEnding() override { ++endings_; }

  // Runs the loop until nothing is ready.
  void Run() {
    io_.restart();
    while (io_.poll() > 0) continue;
  }

  struct Result {
    bool done = false;
    error_code error;
    size_t bytes = 0;
  };
  void Write(std::string bytes, Result* result) {
    // The bytes are gone when this returns: the stream has to have copied them.
    stream_->async_write_some(boost::asio::buffer(bytes), [result](error_code error, size_t n) {
      *result = {.done = true, .error = error, .bytes = n};
    });
    EXPECT_FALSE(result->done) << "never from the initiating call";
  }
  void Read(boost::asio::mutable_buffer buffer, Result* result) {
    stream_->async_read_some(buffer, [result](error_code error, size_t n) {
      *result = {.done = true, .error = error, .bytes = n};
    });
    EXPECT_FALSE(result->done);
  }

  // What the peer has received by now.
  std::string Received() {
    std::string all;
    char bytes[4096];
    ssize_t count;
    while ((count = ::recv(peer_.get(), bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
      all.append(bytes, static_cast<size_t>(count));
      Run();
    }
    return all;
  }
  // Writes until the kernel is full; the write that filled it is *result's.
  void FillKernel(Result* result) {
    const std::string block(64 << 10, 'f');
    do {
      *result = {};
      Write(block, result);
      Run();
    } while (result->done);
  }

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  Poller poller_{io_};
  UniqueFd peer_;
  std::optional<GatherStream> stream_;
  int endings_ = 0;
};

std::string Pong(const std::string& digit) { return "\x8A\x01" + digit; }
const std::string kClose = "\x88\x02\x03\xE8";

TEST_F(GatherStreamTest, AWriteIsTakenWholeAndDoneOnceTheKernelHasIt) {
  Result result;
  Write("hello", &result);
  Run();
  EXPECT_TRUE(result.done);
  EXPECT_FALSE(result.error);
  EXPECT_EQ(result.bytes, 5u);
  EXPECT_EQ(Received(), "hello");
}

TEST_F(GatherStreamTest, AWriteThatTheKernelDoesNotTakeWaits) {
  Result result;
  FillKernel(&result);
  EXPECT_FALSE(result.done);
  const std::string received = Received();
  Run();
  EXPECT_TRUE(result.done);
  EXPECT_EQ((received + Received()).size() % (64 << 10), 0u);
}

TEST_F(GatherStreamTest, APongIsDoneAtOnceAndTheNewestReplacesTheOthers) {
  Result first, second;
  stream_->Cork();  // as where the kernel is full
  Write(Pong("1"), &first);
  Run();
  EXPECT_TRUE(first.done);
  Write(Pong("2"), &second);
  Run();
  EXPECT_TRUE(second.done);
  stream_->Uncork();
  EXPECT_EQ(Received(), Pong("2"));
}

TEST_F(GatherStreamTest, ACloseFrameIsNotedWhenItHasLeft) {
  Result result;
  EXPECT_FALSE(stream_->close_frame_sent());
  Write(kClose, &result);
  EXPECT_EQ(endings_, 1);
  Run();
  EXPECT_TRUE(result.done);
  EXPECT_TRUE(stream_->close_frame_sent());
  stream_->Ping();
  EXPECT_EQ(Received(), kClose) << "no ping after it";
}

TEST_F(GatherStreamTest, AfterASendErrorWritesEndWellAndTheReadDecides) {
  ASSERT_EQ(::send(peer_.get(), "goodbye", 7, 0), 7);
  peer_.reset();
  Result write, read;
  Write("too late", &write);
  Run();
  EXPECT_TRUE(write.done);
  EXPECT_FALSE(write.error);
  EXPECT_TRUE(stream_->broken());
  EXPECT_EQ(endings_, 1);

  char bytes[16];
  Read(boost::asio::buffer(bytes), &read);
  Run();
  ASSERT_TRUE(read.done);
  EXPECT_EQ(std::string(bytes, read.bytes), "goodbye");
  read = {};
  Read(boost::asio::buffer(bytes), &read);
  Run();
  ASSERT_TRUE(read.done);
  EXPECT_TRUE(read.error);
}

TEST_F(GatherStreamTest, WhatWasReadBeforeComesFirst) {
  stream_->Unread("abcdef");
  ASSERT_EQ(::send(peer_.get(), "ghi", 3, 0), 3);
  char bytes[4];
  std::string all;
  for (int i = 0; i < 3; ++i) {
    Result result;
    Read(boost::asio::buffer(bytes), &result);
    Run();
    ASSERT_TRUE(result.done);
    all.append(bytes, result.bytes);
  }
  EXPECT_EQ(all, "abcdefghi");
}

TEST_F(GatherStreamTest, WhatIsPutBackComesBeforeWhatWasThere) {
  stream_->Unread("def");
  stream_->Unread("abc");
  char bytes[16];
  Result result;
  Read(boost::asio::buffer(bytes), &result);
  Run();
  ASSERT_TRUE(result.done);
  EXPECT_EQ(std::string(bytes, result.bytes), "abcdef");
}

TEST_F(GatherStreamTest, ACancelledReadLosesNothing) {
  // Both one that waits for the peer, and one that is to be given what was put back.
  for (const std::string& put_back : {std::string(), std::string("put back, ")}) {
    stream_->Unread(put_back);
    char bytes[16];
    Result cancelled, result;
    Read(boost::asio::buffer(bytes), &cancelled);
    stream_->CancelRead();
    ASSERT_EQ(::send(peer_.get(), "sent", 4, 0), 4);
    Run();
    EXPECT_FALSE(cancelled.done);
    std::string all;
    while (all.size() < put_back.size() + 4) {
      result = {};
      Read(boost::asio::buffer(bytes), &result);
      Run();
      ASSERT_TRUE(result.done && !result.error);
      all.append(bytes, result.bytes);
    }
    EXPECT_EQ(all, put_back + "sent");
  }
}

TEST_F(GatherStreamTest, ACancelledReadIsNotTheOneThatFollowsAtOnce) {
  stream_->Unread("abc");
  char bytes[16];
  Result cancelled, result;
  Read(boost::asio::buffer(bytes), &cancelled);
  stream_->CancelRead();
  Read(boost::asio::buffer(bytes), &result);
  Run();
  EXPECT_FALSE(cancelled.done);
  ASSERT_TRUE(result.done);
  EXPECT_EQ(std::string(bytes, result.bytes), "abc");
}

TEST_F(GatherStreamTest, APongOfOnesOwn) {
  Result result;
  FillKernel(&result);
  stream_->Pong("1");
  stream_->Pong("2");
  std::string received = Received();
  Run();
  received += Received();
  EXPECT_TRUE(received.ends_with("f" + Pong("2"))) << "the newest one only";
  stream_->Pong("3");
  EXPECT_EQ(Received(), Pong("3"));
}

TEST_F(GatherStreamTest, AHardCloseEndsWhatIsUnderWay) {
  Result read, write;
  char bytes[4];
  Read(boost::asio::buffer(bytes), &read);
  FillKernel(&write);
  stream_->HardClose();
  EXPECT_FALSE(read.done || write.done);
  Run();
  EXPECT_EQ(read.error, boost::asio::error::operation_aborted);
  EXPECT_EQ(write.error, boost::asio::error::operation_aborted);
  EXPECT_FALSE(stream_->is_open());
}

TEST_F(GatherStreamTest, NothingIsSentWhileCorked) {
  Result result;
  stream_->Cork();
  Write("later", &result);
  Run();
  EXPECT_FALSE(result.done);
  EXPECT_EQ(Received(), "");
  stream_->Uncork();
  Run();
  EXPECT_TRUE(result.done);
  EXPECT_EQ(Received(), "later");
}

TEST_F(GatherStreamTest, ShuttingDownWaitsForThePeerAndDropsWhatItSends) {
  bool done = false;
  stream_->async_shut_down([&](error_code error) {
    EXPECT_FALSE(error);
    done = true;
  });
  EXPECT_FALSE(done);
  ASSERT_EQ(::send(peer_.get(), "more", 4, 0), 4);
  Run();
  EXPECT_FALSE(done);
  char byte;
  EXPECT_EQ(::recv(peer_.get(), &byte, 1, 0), 0) << "it was told that no more comes";
  peer_.reset();
  Run();
  EXPECT_TRUE(done);
  EXPECT_FALSE(stream_->is_open());
}

TEST_F(GatherStreamTest, ShuttingDownAfterThePeersCloseFrameIsDoneAtOnce) {
  bool done = false;
  stream_->set_close_at_once();
  stream_->async_shut_down([&](error_code) { done = true; });
  EXPECT_FALSE(done);
  Run();
  EXPECT_TRUE(done);
}

TEST_F(GatherStreamTest, ReadableDataThatNobodyReadsDoesNotSpin) {
  Result result;
  char bytes[4];
  Read(boost::asio::buffer(bytes), &result);
  ASSERT_EQ(::send(peer_.get(), "12345678", 8, 0), 8);
  Run();
  ASSERT_TRUE(result.done);
  Run();  // returns only where nothing is ready any more
  result = {};
  Read(boost::asio::buffer(bytes), &result);
  Run();
  EXPECT_TRUE(result.done);
  EXPECT_EQ(std::string(bytes, 4), "5678");
}

}  // namespace
}  // namespace crier
