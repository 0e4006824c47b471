#include "server/cluster/node_calls.h"

#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/concat.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// A node that says nothing for so long is left out of the answer.
constexpr std::chrono::seconds kPatience{1};

// About what one who waits for an answer keeps: the answer of this node, mostly.
constexpr size_t kAskerBytes = 1 << 10;

// Takes a word and the space behind it off the front; the whole, where there is no space.
std::string_view TakeWord(std::string_view* text) {
  const size_t space = text->find(' ');
  const std::string_view word = text->substr(0, space);
  text->remove_prefix(space == std::string_view::npos ? text->size() : space + 1);
  return word;
}

}  // namespace

NodeCalls::NodeCalls(Shard* shard, const ClusterKeys* keys, ClusterServer server,
                     std::string_view node, std::function<void(int64_t bytes)> on_memory)
    : shard_(*shard),
      keys_(*keys),
      server_(server),
      node_(node),
      name_(Concat({node, ":", std::to_string(shard->index())})),
      on_memory_(std::move(on_memory)) {
  server_.subscriber->Subscribe(keys_.NodeChannel(name_), nullptr);
  // One shard of each node hears questions.
  if (shard->index() == 0) server_.subscriber->Subscribe(keys_.NodesChannel(), nullptr);
}

void NodeCalls::AskPresence(const std::string& topic, PresenceDone done) {
  const auto [known, is_new] = asked_.try_emplace(topic, last_number_ + 1);
  const uint64_t number = known->second;
  Question& question = questions_[number];
  question.askers.push_back(std::move(done));
  Count(&question, kAskerBytes);
  if (!is_new) return;
  ++last_number_;
  question.topic = topic;
  Count(&question, sizeof(Question) + 2 * topic.size());
  question.until = shard_.clock().Now() + kPatience;
  by_age_.push_back(number);
  const std::string channel = keys_.NodesChannel();
  const std::string payload = Concat({name_, " ", std::to_string(number), " ", topic});
  const std::array<std::string_view, 3> args = {"PUBLISH", channel, payload};
  server_.client->Call(args, [this, number](const RedisReply& reply) {
    const auto found = questions_.find(number);
    if (found == questions_.end()) return;
    Question& asked = found->second;
    // This node hears itself, and does not answer.
    const auto others = static_cast<size_t>(
        reply.kind() == RedisReply::kInteger && reply.integer() > 0 ? reply.integer() - 1 : 0);
    asked.missing = others > asked.answers.size() ? others - asked.answers.size() : 0;
    if (asked.missing == 0) Finish(number);
  });
}

void NodeCalls::OnQuestion(std::string_view payload) {
  std::string asker(TakeWord(&payload));
  std::string number(TakeWord(&payload));
  std::string topic(payload);
  if (asker.starts_with(Concat({node_, ":"}))) return;
  Shard& home = shard_.engine().shard(shard_.engine().HomeIndexOf(topic));
  home.Post([this, &home, asker = std::move(asker), number = std::move(number),
             topic = std::move(topic)]() mutable {
    v1::Presence presence;
    home.topics().DescribePresence(topic, &presence);
    shard_.Post([this, asker = std::move(asker), number = std::move(number),
                 presence = std::move(presence)] { Answer(asker, number, presence); });
  });
}

void NodeCalls::Answer(const std::string& asker, const std::string& number,
                       const v1::Presence& presence) {
  const std::string channel = keys_.NodeChannel(asker);
  const std::string payload = Concat({number, " ", presence.SerializeAsString()});
  const std::array<std::string_view, 3> args = {"PUBLISH", channel, payload};
  server_.client->Call(args, nullptr);
}

void NodeCalls::OnAnswer(std::string_view payload) {
  const std::string_view word = TakeWord(&payload);
  uint64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  const auto found = questions_.find(number);
  if (found == questions_.end()) return;
  Question& asked = found->second;
  v1::Presence presence;
  if (!presence.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return;
  Count(&asked, presence.SpaceUsedLong());
  asked.answers.push_back(std::move(presence));
  if (asked.missing == SIZE_MAX || --asked.missing > 0) return;
  Finish(number);
}

void NodeCalls::Finish(uint64_t number) {
  const auto found = questions_.find(number);
  Question asked = std::move(found->second);
  questions_.erase(found);
  asked_.erase(asked.topic);
  on_memory_(-asked.bytes);
  for (PresenceDone& done : asked.askers) done(asked.answers);
}

void NodeCalls::Count(Question* question, size_t bytes) {
  question->bytes += static_cast<int64_t>(bytes);
  on_memory_(static_cast<int64_t>(bytes));
}

void NodeCalls::Tick(TimePoint now) {
  while (!by_age_.empty()) {
    const uint64_t oldest = by_age_.front();
    const auto found = questions_.find(oldest);
    if (found != questions_.end()) {
      if (now < found->second.until) return;
      Finish(oldest);
    }
    by_age_.pop_front();
  }
}

}  // namespace crier
