#include "server/cluster/node_calls.h"

#include <utility>

#include "server/base/concat.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// A node that says nothing for so long is left out of the answer.
constexpr std::chrono::seconds kPresencePatience{1};
// It may have to look at all of its sessions.
constexpr std::chrono::seconds kPatience{2};

// About what one who waits for an answer keeps: the answer of this node, mostly.
constexpr size_t kAskerBytes = 1 << 10;

}  // namespace

NodeCalls::NodeCalls(Shard* shard, NodeTalk* talk, const NodeAnswerer* answerer,
                     std::function<void(int64_t bytes)> on_memory)
    : shard_(*shard), talk_(*talk), answerer_(*answerer), on_memory_(std::move(on_memory)) {}

void NodeCalls::AskPresence(const std::string& topic, PresenceDone done) {
  const auto [known, is_new] = about_.try_emplace(topic, last_number_ + 1);
  const uint64_t number = known->second;
  Asked& asked = asked_[number];
  asked.askers.push_back(std::move(done));
  Count(&asked, kAskerBytes);
  if (!is_new) return;
  ++last_number_;
  asked.topic = topic;
  Count(&asked, sizeof(Asked) + 2 * topic.size());
  SetEnd(number, &asked, kPresencePatience);
  cluster::NodeFrame frame;
  frame.mutable_question()->set_number(number);
  frame.mutable_question()->set_presence(topic);
  talk_.TellAll(std::move(frame), WhomOf(number));
}

void NodeCalls::AskNodes(const std::string& node, std::string question, NodesDone done) {
  const uint64_t number = ++last_number_;
  Asked& asked = asked_[number];
  asked.done = std::move(done);
  Count(&asked, sizeof(Asked));
  SetEnd(number, &asked, kPatience);
  cluster::NodeFrame frame;
  frame.mutable_question()->set_number(number);
  frame.mutable_question()->set_text(std::move(question));
  if (node.empty()) return talk_.TellAll(std::move(frame), WhomOf(number));
  talk_.Tell(Concat({node, ":0"}), std::move(frame), WhomOf(number));
}

NodeTalk::Heard NodeCalls::WhomOf(uint64_t number) {
  return [this, number](std::optional<size_t> nodes) {
    const auto found = asked_.find(number);
    if (found == asked_.end()) return;
    found->second.answers.unavailable = !nodes;
    found->second.whom = nodes.value_or(0);
    FinishIfAnswered(number, found->second);
  };
}

void NodeCalls::SetEnd(uint64_t number, Asked* asked, std::chrono::milliseconds patience) {
  asked->until = shard_.clock().Now() + patience;
  ends_.emplace(asked->until, number);
}

void NodeCalls::OnQuestion(const std::string& from, const cluster::Question& question) {
  switch (question.question_case()) {
    case cluster::Question::kPresence:
      return AnswerPresence(from, question.number(), question.presence());
    case cluster::Question::kText:
      if (!answerer_) return;
      return answerer_(shard_, question.text(),
                       [this, from, number = question.number()](std::string text) {
                         cluster::NodeFrame frame;
                         frame.mutable_answer()->set_number(number);
                         frame.mutable_answer()->set_text(std::move(text));
                         talk_.Tell(from, std::move(frame));
                       });
    case cluster::Question::QUESTION_NOT_SET:
      return;
  }
}

void NodeCalls::AnswerPresence(const std::string& asker, uint64_t number,
                               const std::string& topic) {
  Shard& home = shard_.engine().shard(shard_.engine().HomeIndexOf(topic));
  home.Post([this, &home, asker, number, topic]() mutable {
    v1::Presence presence;
    home.topics().DescribePresence(topic, &presence);
    shard_.Post([this, asker = std::move(asker), number, presence = std::move(presence)]() mutable {
      cluster::NodeFrame frame;
      frame.mutable_answer()->set_number(number);
      *frame.mutable_answer()->mutable_presence() = std::move(presence);
      talk_.Tell(asker, std::move(frame));
    });
  });
}

void NodeCalls::OnAnswer(const std::string& from, cluster::Answer answer) {
  const auto found = asked_.find(answer.number());
  if (found == asked_.end()) return;
  Asked& asked = found->second;
  Count(&asked, answer.SpaceUsedLong());
  ++asked.heard;
  if (answer.has_presence()) {
    asked.presences.push_back(std::move(*answer.mutable_presence()));
  } else {
    asked.answers.answers.push_back(
        {.node = std::string(NodeOf(from)), .text = std::move(*answer.mutable_text())});
  }
  FinishIfAnswered(answer.number(), asked);
}

void NodeCalls::FinishIfAnswered(uint64_t number, const Asked& asked) {
  if (asked.whom && asked.heard >= *asked.whom) Finish(number);
}

void NodeCalls::Finish(uint64_t number) {
  const auto found = asked_.find(number);
  Asked asked = std::move(found->second);
  asked_.erase(found);
  ends_.erase({asked.until, number});
  on_memory_(-asked.bytes);
  if (asked.done) {
    const size_t whom = asked.whom.value_or(asked.heard);
    asked.answers.silent = whom > asked.heard ? whom - asked.heard : 0;
    // Redis has not even said how many there are.
    if (!asked.whom) asked.answers.unavailable = true;
    return asked.done(std::move(asked.answers));
  }
  about_.erase(asked.topic);
  for (PresenceDone& done : asked.askers) done(asked.presences);
}

void NodeCalls::Count(Asked* asked, size_t bytes) {
  asked->bytes += static_cast<int64_t>(bytes);
  on_memory_(static_cast<int64_t>(bytes));
}

void NodeCalls::Tick(TimePoint now) {
  while (!ends_.empty() && ends_.begin()->first <= now) Finish(ends_.begin()->second);
}

}  // namespace crier
