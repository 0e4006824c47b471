#include "server/cluster/topic_links.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <chrono>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/cluster/cluster_scripts.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// Takes a number and the space behind it off the front.
std::optional<uint64_t> TakeNumber(std::string_view* text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end == text->data() + text->size() || *end != ' ') {
    return std::nullopt;
  }
  text->remove_prefix(static_cast<size_t>(end - text->data()) + 1);
  return number;
}

TopicPlace PlaceOf(const Topic& topic) {
  if (!topic.begun()) return {};
  return {.epoch = topic.epoch(), .head = topic.canonical().head()};
}

}  // namespace

uint64_t ClusterServer::life_number() const {
  uint64_t number = 0;
  std::from_chars(life.data(), life.data() + life.size(), number);
  return number;
}

TopicLinks::TopicLinks(Shard* home, const ClusterKeys* keys, const ClusterScripts* scripts,
                       const std::vector<ClusterServer>* servers,
                       std::function<void(int64_t bytes)> on_memory)
    : home_(*home),
      keys_(*keys),
      scripts_(*scripts),
      servers_(*servers),
      on_memory_(std::move(on_memory)) {}

int64_t TopicLinks::MemoryOf(std::string_view topic) {
  // A slot of the table and its control byte, at a load of a half.
  return static_cast<int64_t>(2 * (sizeof(std::pair<std::string, Link>) + 1) + topic.size());
}

TopicPlace TopicLinks::PlaceHere(const std::string& topic) const {
  return PlaceOf(*home_.topics().Find(topic));
}

TopicLinks::Link* TopicLinks::Find(std::string_view topic, uint64_t number) {
  const auto found = links_.find(topic);
  return found == links_.end() || found->second.number != number ? nullptr : &found->second;
}

void TopicLinks::Follow(const std::string& topic) {
  Link& link = links_[topic];
  assert(link.number == 0);
  link.number = ++last_number_;
  on_memory_(MemoryOf(topic));
  link.server = keys_.ServerOf(topic);
  // First to hear what comes, and then to ask where that begins: so nothing falls in between.
  servers_[link.server].subscriber->Subscribe(keys_.TopicChannel(topic),
                                              [this, topic, number = link.number] {
                                                Link* const mine = Find(topic, number);
                                                if (mine == nullptr) return;
                                                mine->subscribed = true;
                                                AskFor(topic, mine);
                                              });
}

void TopicLinks::Unfollow(const std::string& topic) {
  const auto found = links_.find(topic);
  assert(found != links_.end());
  servers_[found->second.server].subscriber->Unsubscribe(keys_.TopicChannel(topic));
  links_.erase(found);
  on_memory_(-MemoryOf(topic));
}

void TopicLinks::Compare(const std::string& topic, uint64_t epoch) {
  const auto found = links_.find(topic);
  if (found == links_.end() || !found->second.subscribed || found->second.asking) return;
  const TopicPlace here = PlaceHere(topic);
  if (here.epoch != 0 && here.epoch != epoch) AskFor(topic, &found->second);
}

void TopicLinks::CheckAll(size_t server, bool missed) {
  for (auto& [topic, link] : links_) {
    if (link.server != server || !link.subscribed) continue;
    if (missed) {
      link.heard = false;
      link.missed = link.asking;
    }
    AskFor(topic, &link);
  }
}

// --- Places.

void TopicLinks::AskFor(const std::string& topic, Link* link) {
  if (link->asking) {
    link->again = true;
    return;
  }
  if (!std::exchange(link->queued, true)) to_ask_.emplace_back(topic, link->number);
  AskForMore();
}

void TopicLinks::AskForMore() {
  while (asking_ < kMostAsking && !to_ask_.empty()) {
    const auto [topic, number] = std::move(to_ask_.front());
    to_ask_.pop_front();
    Link* const link = Find(topic, number);
    if (link == nullptr) continue;
    link->queued = false;
    // CheckAll comes once it can be used.
    if (servers_[link->server].life.empty()) continue;
    Ask(topic, link);
  }
}

void TopicLinks::Tick() {
  for (const auto& [topic, number] : std::exchange(failed_, {})) {
    if (Link* const link = Find(topic, number)) AskFor(topic, link);
  }
}

void TopicLinks::Ask(const std::string& topic, Link* link) {
  link->asking = true;
  link->again = false;
  link->missed = false;
  link->beyond = {};
  ++asking_;
  const std::string key = keys_.TopicKey(topic);
  const std::array<std::string_view, 2> args = {"GET", key};
  servers_[link->server].client->Call(
      args, [this, topic, seen = PlaceHere(topic), number = link->number](const RedisReply& reply) {
        // Nil: nothing was published.
        const auto wanted = reply.kind() == RedisReply::kNil ? RedisReply::kNil : RedisReply::kText;
        Link* const mine = Answered(topic, number, reply, wanted);
        if (mine != nullptr) OnPlace(topic, mine, TopicPlace::Parse(reply.text()), seen);
      });
}

TopicLinks::Link* TopicLinks::Answered(const std::string& topic, uint64_t number,
                                       const RedisReply& reply, RedisReply::Kind wanted) {
  --asking_;
  Link* link = Find(topic, number);
  if (link != nullptr) link->asking = false;
  // Where the connection is lost, CheckAll follows.
  if (reply.is_lost()) return nullptr;
  const bool answered = reply.kind() == wanted;
  if (link != nullptr && (!answered || std::exchange(link->again, false))) {
    failed_.emplace_back(topic, number);
  }
  AskForMore();
  return answered ? Find(topic, number) : nullptr;
}

void TopicLinks::Renew(const std::string& topic, Link* link, bool force) {
  const ClusterServer& server = servers_[link->server];
  const TopicPlace seen = PlaceHere(topic);
  if (force && link->asking) link->conflict = seen.epoch;
  if (server.life.empty() || std::exchange(link->asking, true)) return;
  ++asking_;
  const std::string key = keys_.TopicKey(topic);
  const std::string events = keys_.EventsKey(topic);
  const std::string channel = keys_.TopicChannel(topic);
  const std::string epoch = absl::StrCat(seen.epoch);
  const std::string head = absl::StrCat(seen.head);
  const std::array<std::string_view, 2> keys = {key, events};
  const std::array<std::string_view, 5> args = {channel, epoch, head, server.life,
                                                force ? "1" : "0"};
  server.client->Run(scripts_.renew, keys, args,
                     [this, topic, seen, number = link->number](const RedisReply& reply) {
                       Link* const mine = Answered(topic, number, reply, RedisReply::kArray);
                       if (mine == nullptr) return;
                       OnPlace(topic, mine, {.epoch = reply[0].number(), .head = reply[1].number()},
                               seen);
                     });
}

void TopicLinks::OnPlace(const std::string& topic, Link* link, TopicPlace place, TopicPlace seen) {
  Topic* const here = home_.topics().Find(topic);
  assert(here != nullptr);
  const uint64_t number = link->number;
  const TopicPlace beyond = link->beyond;
  const TopicPlace before = PlaceOf(*here);
  const ClusterServer& server = servers_[link->server];
  const uint64_t life = server.life_number();
  // Redis knows nothing of it, but has dropped keys while its channel was not heard: it may have
  // been one of them.
  const bool dropped = place.epoch == 0 && here->begun() && before.epoch == life && !link->heard &&
                       link->evicted != server.evicted;
  if (place.epoch == 0) place.epoch = life;
  // Its epoch is of an earlier life of Redis; or what this node has seen is not there any more.
  const bool over =
      dropped || place.epoch < life || place.epoch < before.epoch ||
      (place.epoch == seen.epoch && before.epoch == seen.epoch && place.head < seen.head);
  if (over) return Renew(topic, link, /*force=*/false);
  if (!here->begun()) {
    home_.topics().Begin(here, place.epoch, place.head, /*complete=*/true);
  } else if (place.epoch > before.epoch) {
    // Where nothing had been published before in this life, nothing was missed: unless there was an
    // epoch between the two, which came and went while its channel was not heard.
    const bool complete = before.epoch == life && link->heard;
    if (!complete) home_.metrics().cluster_epochs_renewed.Add();
    home_.topics().Begin(here, place.epoch, place.head, complete);
  } else if (place.head > before.head) {
    home_.metrics().cluster_holes.Add();
    home_.topics().Begin(here, place.epoch, place.head, /*complete=*/false);
  }
  // Followers that are told may leave, and the topic with them.
  Link* const still = Find(topic, number);
  if (still == nullptr) return;
  still->heard = !still->missed;
  still->evicted = server.evicted;
  const TopicPlace now = PlaceHere(topic);
  if (std::exchange(still->conflict, 0) == now.epoch && now.epoch != 0) {
    return Renew(topic, still, /*force=*/true);
  }
  const bool more =
      beyond.epoch > now.epoch || (beyond.epoch == now.epoch && beyond.head > now.head);
  if (more) AskFor(topic, still);
}

// --- Events.

void TopicLinks::OnEvent(std::string_view name, std::string_view payload) {
  const auto found = links_.find(name);
  if (found == links_.end()) return;
  const std::string& topic = found->first;
  Link& link = found->second;
  const auto epoch = TakeNumber(&payload);
  const auto offset = epoch ? TakeNumber(&payload) : std::nullopt;
  v1::Message message;
  if (!offset || !message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    // Nothing of ours. Whoever may write to this Redis may do anything; it breaks nothing here.
    return;
  }
  message.set_epoch(*epoch);
  message.set_offset(*offset);
  message.set_topic(topic);
  message.set_action_type(v1::BROADCAST);
  message.clear_to();
  Topic* const here = home_.topics().Find(topic);
  assert(here != nullptr);
  if (here->begun() && *offset > 0) {
    const TopicPlace place = PlaceOf(*here);
    if (place.epoch == servers_[link.server].life_number() && *offset == 1) {
      // The first that was published to it in this life, as far as was heard.
      home_.topics().Begin(here, *epoch, 0, /*complete=*/link.heard);
      // Followers that are told may leave, and the topic with them.
      Topic* const still = home_.topics().Find(message.topic());
      if (still != nullptr && still->begun()) Append(still, std::move(message));
      return;
    }
    if (*epoch == place.epoch && *offset == place.head + 1) {
      return Append(here, std::move(message));
    }
    if (*epoch == place.epoch && *offset <= place.head) {
      // It came twice; or Redis has lost what came first, and has given its offset to another one.
      if (Differs(*here, message)) Renew(topic, &link, /*force=*/true);
      return;
    }
    if (*epoch < place.epoch) return;  // of a life that is over
  }
  if (*epoch > link.beyond.epoch || (*epoch == link.beyond.epoch && *offset > link.beyond.head)) {
    link.beyond = {.epoch = *epoch, .head = *offset};
  }
  // While it is asked for, `beyond` is looked at with the answer.
  if (!link.asking && link.subscribed) AskFor(topic, &link);
}

void TopicLinks::Append(Topic* topic, v1::Message message) {
  const Arrival arrival = home_.ArrivalNow();
  const int64_t lag = std::max<int64_t>(0, arrival.wall_nanos - message.received_at());
  home_.metrics().cluster_lag_seconds.Observe(Seconds(std::chrono::nanoseconds(lag)));
  Publication publication{
      .message = std::move(message), .arrival = arrival, .publisher = {}, .reply = {}};
  home_.topics().Append(topic, &publication);
}

bool TopicLinks::Differs(const Topic& topic, const v1::Message& message) const {
  const EventLog& log = topic.canonical();
  if (message.offset() < log.tail()) return false;
  const EventRun run = log.Read(message.offset(), 0);
  v1::ServerFrame kept;
  if (!kept.ParseFromArray(run.data, static_cast<int>(run.size))) return false;
  return kept.events(0).message().SerializeAsString() != message.SerializeAsString();
}

}  // namespace crier
