// One conversation, by every pair of transports and dialects, on one node and on two: both sides
// have to see the same each time.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "tests/parity/parity_fixture.h"
#include "tests/support/frames.h"

namespace crier::testing {
namespace {

class ConversationTest : public ParityTest, public ::testing::WithParamInterface<NodesPair> {
 protected:
  ConversationTest() {
    engine_options_.topic_log.events = 5;
    engine_options_.max_topics_per_session = 3;
    const auto& [speech, nodes] = GetParam();
    node_count_ = nodes;
    StartServer();
    alice_ = Connect(speech.first, "alice");
    bob_ = Connect(speech.second, "bob", nodes - 1);
    if (nodes == 1) return;
    // Who has had an answer is found by all nodes: the plain dialect has no welcome.
    for (Peer* peer : {alice_.get(), bob_.get()}) {
      peer->Send(AsFrame(Direct("to myself")));
      peer->Next();
    }
  }

  // Takes so many events on each side, and expects them as this text: in an order that does not
  // depend on which of a session's logs was read first, since that is promised nowhere. An ack's
  // recipients are nodes where there are several, and so they are not compared there.
  void ExpectSeen(size_t by_alice, size_t by_bob, std::string text) {
    std::string seen = Seen(by_alice, by_bob);
    if (node_count_ > 1) {
      for (std::string* each : {&seen, &text}) {
        *each = std::regex_replace(*each, std::regex(" recipients: [0-9]+"), "");
      }
    }
    EXPECT_EQ(seen, text);
  }
  std::string Seen(size_t by_alice, size_t by_bob) {
    return "alice:" + Take(*alice_, by_alice) + "bob:" + Take(*bob_, by_bob);
  }

  Peer& alice() { return *alice_; }
  Peer& bob() { return *bob_; }
  // Of the topic, in the last event seen that has one.
  uint64_t EpochOf(const std::string& topic) { return epochs_[topic]; }

 private:
  std::string Take(Peer& peer, size_t count) {
    std::vector<std::string> lines;
    for (size_t i = 0; i < count; ++i) {
      v1::Event event = peer.Next();
      Note(event);
      lines.push_back(event.ShortDebugString());
    }
    std::sort(lines.begin(), lines.end());
    std::string text = "\n";
    for (const std::string& line : lines) text += "  " + line + "\n";
    return text;
  }

  // Remembers the epoch and takes it out, since no two servers have the same.
  void Note(v1::Event& event) {
    if (event.has_message() && event.message().epoch() != 0) {
      Check(event.message().topic(), event.message().epoch());
      event.mutable_message()->clear_epoch();
    } else if (event.has_ack() && event.ack().epoch() != 0) {
      // Until something is published, nodes that share a topic have an epoch of their own for it.
      const bool before_all = node_count_ > 1 && event.ack().offset() == 0;
      if (!before_all) Check(event.ack().topic(), event.ack().epoch());
      event.mutable_ack()->clear_epoch();
    } else if (event.has_gap() && event.gap().epoch() != 0) {
      Check(event.gap().topic(), event.gap().epoch());
      event.mutable_gap()->clear_epoch();
    }
    if (event.has_presence()) {
      auto& users = *event.mutable_presence()->mutable_users();
      std::sort(users.begin(), users.end());
    }
  }

  void Check(const std::string& topic, uint64_t epoch) {
    uint64_t& known = epochs_[topic];
    if (known == 0) known = epoch;
    EXPECT_EQ(epoch, known) << "of topic '" << topic << "'";
  }

  std::unique_ptr<Peer> alice_;
  std::unique_ptr<Peer> bob_;
  std::map<std::string, uint64_t> epochs_;
};

TEST_P(ConversationTest, Direct) {
  alice().Send(AsFrame(Direct("to bob", "bob", "d1")));
  ExpectSeen(1, 1, R"(alice:
  ack { id: "d1" recipients: 1 user_id: "alice" }
bob:
  message { id: "d1" user_id: "alice" action_type: DIRECT body: "to bob" }
)");
  bob().Send(AsFrame(Direct("to myself")));
  ExpectSeen(0, 1, R"(alice:
bob:
  message { user_id: "bob" action_type: DIRECT body: "to myself" }
)");
  alice().Send(AsFrame(Direct("to nobody", "carol", "d2")));
  ExpectSeen(1, 0, R"(alice:
  error { outcome: "NO_RECIPIENT" id: "d2" user_id: "alice" }
bob:
)");
}

TEST_P(ConversationTest, Broadcast) {
  alice().Send(AsFrame(Broadcast("to all \xE2\x82\xAC \"quoted\"\n", "", "b1")));
  ExpectSeen(2, 1, R"(alice:
  ack { id: "b1" offset: 1 recipients: 2 user_id: "alice" }
  message { id: "b1" user_id: "alice" action_type: BROADCAST body: "to all \342\202\254 \"quoted\"\n" offset: 1 }
bob:
  message { id: "b1" user_id: "alice" action_type: BROADCAST body: "to all \342\202\254 \"quoted\"\n" offset: 1 }
)");
  // Again, by the same user: the first ack, and nothing is published.
  alice().Send(AsFrame(Broadcast("to all", "", "b1")));
  ExpectSeen(1, 0, R"(alice:
  ack { id: "b1" offset: 1 recipients: 2 duplicate: true user_id: "alice" }
bob:
)");
  // The same id of another user is another message.
  v1::Message message = Broadcast("mine", "", "b1");
  message.set_data("carried along");
  bob().Send(AsFrame(message));
  ExpectSeen(1, 2, R"(alice:
  message { id: "b1" user_id: "bob" action_type: BROADCAST body: "mine" data: "carried along" offset: 2 }
bob:
  ack { id: "b1" offset: 2 recipients: 2 user_id: "bob" }
  message { id: "b1" user_id: "bob" action_type: BROADCAST body: "mine" data: "carried along" offset: 2 }
)");
}

TEST_P(ConversationTest, Topics) {
  bob().Send(Subscribe("news", "s1"));
  ExpectSeen(0, 1, R"(alice:
bob:
  ack { id: "s1" topic: "news" user_id: "bob" }
)");
  alice().Send(AsFrame(Broadcast("one", "news", "n1")));
  ExpectSeen(1, 1, R"(alice:
  ack { id: "n1" topic: "news" offset: 1 recipients: 1 user_id: "alice" }
bob:
  message { id: "n1" user_id: "alice" action_type: BROADCAST topic: "news" body: "one" offset: 1 }
)");
  alice().Send(WhoFollows("news", "w1"));
  ExpectSeen(1, 0, R"(alice:
  presence { topic: "news" id: "w1" sessions: 1 users: "bob" }
bob:
)");
  bob().Send(Unsubscribe("news", "u1"));
  ExpectSeen(0, 1, R"(alice:
bob:
  ack { id: "u1" topic: "news" offset: 1 user_id: "bob" }
)");
  alice().Send(AsFrame(Broadcast("two", "news", "n2")));
  ExpectSeen(1, 0, R"(alice:
  ack { id: "n2" topic: "news" offset: 2 user_id: "alice" }
bob:
)");
}

TEST_P(ConversationTest, ResumeAndItsGaps) {
  for (int i = 1; i <= 8; ++i) {
    alice().Send(AsFrame(Broadcast(std::to_string(i), "news", "n" + std::to_string(i))));
  }
  Seen(8, 0);
  bob().Send(SubscribeFrom(At("news", EpochOf("news"), 6)));
  ExpectSeen(0, 2, R"(alice:
bob:
  message { id: "n7" user_id: "alice" action_type: BROADCAST topic: "news" body: "7" offset: 7 }
  message { id: "n8" user_id: "alice" action_type: BROADCAST topic: "news" body: "8" offset: 8 }
)");
  // The log keeps five.
  alice().Send(SubscribeFrom(At("news", EpochOf("news"), 1)));
  ExpectSeen(6, 0, R"(alice:
  gap { topic: "news" first: 2 last: 3 reason: EXPIRED }
  message { id: "n4" user_id: "alice" action_type: BROADCAST topic: "news" body: "4" offset: 4 }
  message { id: "n5" user_id: "alice" action_type: BROADCAST topic: "news" body: "5" offset: 5 }
  message { id: "n6" user_id: "alice" action_type: BROADCAST topic: "news" body: "6" offset: 6 }
  message { id: "n7" user_id: "alice" action_type: BROADCAST topic: "news" body: "7" offset: 7 }
  message { id: "n8" user_id: "alice" action_type: BROADCAST topic: "news" body: "8" offset: 8 }
bob:
)");
}

TEST_P(ConversationTest, ResumeInAnotherEpoch) {
  alice().Send(AsFrame(Broadcast("one", "news", "n1")));
  Seen(1, 0);
  bob().Send(SubscribeFrom(At("news", EpochOf("news") - 1, 40)));
  const std::string seen = Seen(0, 1);
  EXPECT_NE(seen.find("reason: NEW_EPOCH"), std::string::npos) << seen;
}

TEST_P(ConversationTest, Signs) {
  v1::Message ping;
  ping.set_action_type(v1::PING);
  v1::Message pong;
  pong.set_action_type(v1::PONG);
  alice().Send(AsFrame(ping));
  bob().Send(AsFrame(pong));
  ExpectSeen(1, 1, R"(alice:
  message { user_id: "alice" action_type: PING data: "pong" }
bob:
  message { user_id: "bob" action_type: PONG data: "ping" }
)");
}

TEST_P(ConversationTest, Errors) {
  for (Peer* peer : {&alice(), &bob()}) {
    peer->SendGarbage();
    peer->Send(AsFrame(Broadcast(std::string((64 << 10) + 1, 'x'), "", "big")));
    peer->Send(AsFrame(Broadcast("x", std::string(256, 't'), "long")));
    peer->Send(Subscribe("1"));
    peer->Send(Subscribe("2"));
    peer->Send(Subscribe("3"));
    peer->Send(Subscribe("4", "many"));
  }
  const std::string seen = Seen(4, 4);
  const size_t half = seen.find("bob:");
  std::string by_bob = seen.substr(half + 4);
  std::string by_alice = seen.substr(6, half - 6);
  for (size_t at; (at = by_bob.find("\"bob\"")) != std::string::npos;) {
    by_bob.replace(at, 5, "\"alice\"");
  }
  EXPECT_EQ(by_alice, by_bob);
  EXPECT_EQ(by_alice, R"(
  error { outcome: "INVALID_MESSAGE" id: "long" user_id: "alice" }
  error { outcome: "INVALID_MESSAGE" user_id: "alice" }
  error { outcome: "MESSAGE_TOO_BIG" id: "big" user_id: "alice" }
  error { outcome: "TOO_MANY_TOPICS" id: "many" user_id: "alice" }
)");
}

INSTANTIATE_TEST_SUITE_P(Speech, ConversationTest,
                         ::testing::Combine(::testing::ValuesIn(AllPairs()),
                                            ::testing::Values(size_t{1}, size_t{2})),
                         NameOfNodesPair);

}  // namespace
}  // namespace crier::testing
