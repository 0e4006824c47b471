// The engine with its real threads: many publishers on many shards, and nothing lost. This is what
// ThreadSanitizer looks at.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/engine/engine.h"

namespace crier {
namespace {

// Counts events by parsing what it takes; lives on one shard's thread.
class Counter : public Transport {
 public:
  void Wake() override {
    while (true) {
      std::string bytes;
      for (const Slice& slice : session->Peek(4096)) bytes.append(slice.data, slice.size);
      if (bytes.empty()) return;
      session->Take(bytes.size());
      v1::ServerFrame frame;
      ASSERT_TRUE(frame.ParseFromString(bytes));
      for (const v1::Event& event : frame.events()) {
        if (event.has_message()) {
          EXPECT_EQ(event.message().offset(), ++last_offset);
          received.fetch_add(1);
        }
        if (event.has_gap()) {
          last_offset = event.gap().last();
          received.fetch_add(event.gap().last() - event.gap().first() + 1);
        }
      }
    }
  }
  void Close(Outcome, std::string_view) override {}
  void PauseReading() override {}
  void ResumeReading() override {}

  Session* session = nullptr;
  uint64_t last_offset = 0;
  std::atomic<uint64_t> received{0};
};

// Applies what it is told of who comes and goes; lives on one shard's thread.
class Watcher : public Transport {
 public:
  static constexpr size_t kWatchers = 3;

  void Wake() override {
    while (true) {
      std::string bytes;
      for (const Slice& slice : session->Peek(4096)) bytes.append(slice.data, slice.size);
      if (bytes.empty()) return;
      session->Take(bytes.size());
      v1::ServerFrame frame;
      ASSERT_TRUE(frame.ParseFromString(bytes));
      for (const v1::Event& event : frame.events()) {
        if (event.has_presence()) {
          users = {event.presence().users().begin(), event.presence().users().end()};
          version = event.presence().version();
          sessions = event.presence().sessions();
        } else if (event.has_presence_change()) {
          const v1::PresenceChange& change = event.presence_change();
          EXPECT_EQ(change.version(), ++version);
          for (const std::string& user : change.joined()) EXPECT_TRUE(users.insert(user).second);
          for (const std::string& user : change.left()) EXPECT_EQ(users.erase(user), 1u);
          EXPECT_EQ(change.user_count(), users.size());
          sessions = change.sessions();
        }
        alone = sessions == kWatchers && users.size() == kWatchers;
      }
    }
  }
  void Close(Outcome, std::string_view) override {}
  void PauseReading() override {}
  void ResumeReading() override {}

  Session* session = nullptr;
  std::set<std::string> users;
  uint64_t version = 0;
  uint64_t sessions = 0;
  std::atomic<bool> alone{false};  // only watchers are there
};

class ThreadsTest : public testing::Test {
 protected:
  ThreadsTest() : metrics_(kShards) {
    EngineOptions options;
    options.shards = kShards;
    options.topic_log.events = 200;
    engine_ = std::make_unique<Engine>(options, Clock::Real(), &metrics_);
    engine_->Start();
  }

  // Runs on a shard and waits for it.
  void On(size_t shard, std::function<void()> action) {
    std::promise<void> done;
    engine_->shard(shard).Post([&] {
      action();
      done.set_value();
    });
    done.get_future().wait();
  }

  static constexpr size_t kShards = 3;
  Metrics metrics_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(ThreadsTest, EveryoneGetsEverythingFromEverywhere) {
  constexpr size_t kClients = 12;
  constexpr int kMessages = 300;
  std::vector<std::unique_ptr<Counter>> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Counter>());
    On(i % kShards, [&, i] {
      SessionOptions options;
      options.encoding = &CanonicalEncoding();
      options.transport = clients[i].get();
      clients[i]->session = engine_->shard(i % kShards).OpenSession(options);
    });
  }
  for (int n = 0; n < kMessages; ++n) {
    for (size_t shard = 0; shard < kShards; ++shard) {
      engine_->shard(shard).Post([&, shard] {
        v1::ClientFrame frame;
        frame.mutable_publish()->set_action_type(v1::BROADCAST);
        frame.mutable_publish()->set_body("x");
        clients[shard]->session->Handle(std::move(frame), engine_->shard(shard).ArrivalNow(), 0);
      });
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (const auto& client : clients) {
    while (client->received < kShards * kMessages && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_EQ(client->received, kShards * kMessages);
  }
  for (size_t i = 0; i < kClients; ++i) {
    On(i % kShards, [&, i] { clients[i]->session->End(Outcome::kOk); });
  }
}

TEST_F(ThreadsTest, StopsBeforeItsThreadsHaveHadATurn) {
  for (int i = 0; i < 50; ++i) {
    Metrics metrics(kShards);
    EngineOptions options;
    options.shards = kShards;
    Engine engine(options, Clock::Real(), &metrics);
    engine.Start();
    engine.Stop();
  }
}

TEST_F(ThreadsTest, SubscribersComeAndGoWhileOthersPublish) {
  constexpr int kRounds = 100;
  std::atomic<bool> stop{false};
  std::thread publisher([&] {
    while (!stop) {
      v1::Message message;
      message.set_action_type(v1::BROADCAST);
      message.set_topic("t");
      std::promise<void> done;
      Shard& shard = engine_->shard(0);
      shard.Post([&] {
        engine_->Publish(shard, message, [&](const PublishResult&) { done.set_value(); });
      });
      done.get_future().wait();
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    const size_t shard = static_cast<size_t>(round) % kShards;
    Counter client;
    On(shard, [&] {
      SessionOptions options;
      options.encoding = &CanonicalEncoding();
      options.transport = &client;
      client.session = engine_->shard(shard).OpenSession(options);
      v1::ClientFrame frame;
      frame.mutable_subscribe()->set_topic("t");
      frame.mutable_subscribe()->mutable_resume()->set_offset(0);
      client.session->Handle(std::move(frame), engine_->shard(shard).ArrivalNow(), 0);
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (client.received == 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_GT(client.received, 0u);
    On(shard, [&] { client.session->End(Outcome::kOk); });
  }
  stop = true;
  publisher.join();
}

TEST_F(ThreadsTest, WatchersSeeNoGhostsOfThoseWhoComeAndGoEverywhere) {
  const auto open = [&](Transport* transport, size_t shard, const std::string& user,
                        bool presence) {
    SessionOptions options;
    options.encoding = &CanonicalEncoding();
    options.transport = transport;
    options.user_id = std::get<UserId>(UserId::Admit(user));
    Session* session = engine_->shard(shard).OpenSession(options);
    v1::ClientFrame frame;
    frame.mutable_subscribe()->set_topic("t");
    frame.mutable_subscribe()->set_presence(presence);
    session->Handle(std::move(frame), engine_->shard(shard).ArrivalNow(), 0);
    return session;
  };
  Watcher watchers[kShards];
  for (size_t shard = 0; shard < kShards; ++shard) {
    On(shard, [&, shard] {
      Watcher& watcher = watchers[shard];
      watcher.session = open(&watcher, shard, "watcher" + std::to_string(shard), true);
    });
  }
  const auto begin = std::chrono::steady_clock::now();
  // Long enough for several events.
  for (size_t round = 0; std::chrono::steady_clock::now() - begin < std::chrono::seconds(3);
       ++round) {
    constexpr size_t kOthers = 6;
    Counter others[kOthers];
    for (size_t i = 0; i < kOthers; ++i) {
      // Some of them twice, and some without a user.
      const std::string user = i % 3 == 0 ? "" : "user" + std::to_string((round + i / 2) % 20);
      On(i % kShards, [&] { others[i].session = open(&others[i], i % kShards, user, i == 1); });
    }
    for (size_t i = 0; i < kOthers; ++i) {
      On(i % kShards, [&] { others[i].session->End(Outcome::kOk); });
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (size_t shard = 0; shard < kShards; ++shard) {
    while (!watchers[shard].alone && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
  }
  for (size_t shard = 0; shard < kShards; ++shard) {
    On(shard, [&] {
      EXPECT_THAT(watchers[shard].users, testing::ElementsAre("watcher0", "watcher1", "watcher2"));
      EXPECT_EQ(watchers[shard].sessions, kShards);
      watchers[shard].session->End(Outcome::kOk);
    });
  }
}

}  // namespace
}  // namespace crier
