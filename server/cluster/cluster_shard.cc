#include "server/cluster/cluster_shard.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/cluster/cluster_scripts.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

uint64_t NumberOf(const RedisReply& reply) {
  if (reply.kind() == RedisReply::kInteger) return static_cast<uint64_t>(reply.integer());
  uint64_t number = 0;
  const std::string_view text = reply.text();
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

ClusterShard::ClusterShard(Shard* shard, const ClusterOptions* options, const ClusterKeys* keys,
                           std::string_view node)
    : shard_(*shard),
      options_(*options),
      keys_(*keys),
      node_(node),
      memory_(&shard->memory(), MemoryKind::kCluster),
      servers_(options->url.servers.size()) {
  std::vector<ClusterServer> servers;
  for (size_t i = 0; i < servers_.size(); ++i) {
    Connect(i);
    servers.push_back(
        {.client = servers_[i].client.get(), .subscriber = servers_[i].subscriber.get()});
  }
  nodes_ = std::make_unique<NodeCalls>(shard, keys, servers.front(), node);
  links_ = std::make_unique<TopicLinks>(shard, keys, std::move(servers));
  shard->AddTicker([this](TimePoint now) { nodes_->Tick(now); });
  for (Server& server : servers_) {
    server.client->Start();
    server.subscriber->Start();
  }
}

ClusterShard::~ClusterShard() {
  for (Server& server : servers_) {
    server.client->Stop();
    server.subscriber->Stop();
  }
}

void ClusterShard::Connect(size_t index) {
  const auto account = [this](int64_t bytes) {
    bytes_ += bytes;
    memory_.Set(static_cast<size_t>(bytes_));
  };
  const RedisAddress& address = options_.url.servers[index];
  RedisClient::Options calls;
  calls.timeout = options_.timeout;
  calls.scripts = {&PublishScript(), &DirectScript(), &PastScript(), &RenewScript()};
  calls.on_up = [this, index] {
    OnConnection(index, /*up=*/true, {});
    CheckPublished(index);
    links_->CheckAll(index);
  };
  calls.on_down = [this, index](std::string_view why) { OnConnection(index, /*up=*/false, why); };
  calls.on_memory = account;
  Server& server = servers_[index];
  server.client = std::make_unique<RedisClient>(&shard_.io(), address, std::move(calls));

  RedisSubscriber::Options channels;
  channels.timeout = options_.timeout;
  channels.on_message = [this](std::string_view channel, std::string_view payload) {
    OnMessage(channel, payload);
  };
  channels.on_up = [this, index] { OnConnection(index, /*up=*/true, {}); };
  channels.on_restored = [this, index] {
    if (std::exchange(servers_[index].was_lost, false)) TellMissed(index);
    links_->CheckAll(index);
  };
  channels.on_down = [this, index](std::string_view why) {
    servers_[index].was_lost = true;
    OnConnection(index, /*up=*/false, why);
  };
  channels.on_memory = account;
  server.subscriber = std::make_unique<RedisSubscriber>(&shard_.io(), address, std::move(channels));
}

void ClusterShard::OnConnection(size_t index, bool up, std::string_view why) {
  Server& server = servers_[index];
  const int ups = (server.client->up() ? 1 : 0) + (server.subscriber->up() ? 1 : 0);
  shard_.metrics().cluster_connections[index].Add(ups - std::exchange(server.ups, ups));
  if (!up) {
    ReleaseHeld(server);
    // Their channels come again, some time.
    for (auto& [user, waiting] : std::exchange(coming_users_, {})) {
      for (auto& done : waiting) done();
    }
  }
  const bool is_up = ups == 2;
  // One line for each change, of all shards together.
  if (shard_.index() != 0 || (up && !is_up)) return;
  const std::string name = options_.url.servers[index].Text();
  if (is_up && !std::exchange(server.was_up, true)) {
    spdlog::info("cluster: connected to {}", name);
  } else if (!up && std::exchange(server.was_up, false)) {
    spdlog::warn("cluster: lost {}: {}; what is published is refused until it is back", name, why);
  } else if (!up && ups == 0) {
    spdlog::warn("cluster: {}", why);
  }
}

// --- What comes.

void ClusterShard::OnMessage(std::string_view channel, std::string_view payload) {
  const ClusterKeys::Target target = keys_.TargetOf(channel);
  switch (target.kind) {
    case ClusterKeys::Kind::kTopic:
      return links_->OnEvent(target.name, payload);
    case ClusterKeys::Kind::kUser:
      return OnDirect(target.name, payload);
    case ClusterKeys::Kind::kNodes:
      return nodes_->OnQuestion(payload);
    case ClusterKeys::Kind::kNode:
      return nodes_->OnAnswer(payload);
  }
}

void ClusterShard::OnDirect(std::string_view user, std::string_view payload) {
  v1::Message message;
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return;
  message.set_action_type(v1::DIRECT);
  message.set_to(std::string(user));
  message.clear_topic();
  shard_.publish_desk().Deliver({.message = std::move(message),
                                 .arrival = shard_.ArrivalNow(),
                                 .publisher = {},
                                 .reply = {}});
}

// --- What is published.

void ClusterShard::Publish(Publication publication) {
  if (!shard_.topics().MakeRoom()) {
    return Answer(std::move(publication.reply), OverloadedResult());
  }
  if (publication.message.action_type() == v1::DIRECT) {
    PublishToUser(std::move(publication));
  } else {
    PublishToTopic(std::move(publication));
  }
}

void ClusterShard::PublishToTopic(Publication publication) {
  const std::string topic = publication.message.topic();
  const size_t index = keys_.ServerOf(topic);
  Server& server = servers_[index];
  const std::string key = keys_.TopicKey(topic);
  const std::string stream = keys_.StreamKey(topic);
  const std::string channel = keys_.TopicChannel(topic);
  std::string id;
  std::vector<std::string_view> keys = {key, stream};
  if (!publication.publisher.empty()) {
    // Sessions are numbered on each node for itself.
    const bool of_session = publication.publisher.starts_with("session:");
    id = keys_.IdKey(publication, of_session ? node_ : std::string_view());
    keys.push_back(id);
  }
  // The channel says where it goes.
  publication.message.clear_topic();
  const std::string message = publication.message.SerializeAsString();
  const TopicPlace seen = SeenIn(server, topic);
  const EngineOptions& engine = shard_.options();
  const std::string epoch = absl::StrCat(seen.epoch);
  const std::string head = absl::StrCat(seen.head);
  const std::string events = absl::StrCat(engine.topic_log.events);
  const std::string bytes = absl::StrCat(engine.topic_log.bytes);
  const std::string age = absl::StrCat(engine.topic_log.age.count());
  const std::string window = absl::StrCat(engine.remembered_for.count());
  const std::array<std::string_view, 8> args = {channel, message, epoch, head,
                                                events,  bytes,   age,   window};
  const SessionRef session = publication.reply.session;
  server.client->Run(PublishScript(), keys, args,
                     [this, index, topic, at = shard_.clock().Now(),
                      reply = std::move(publication.reply)](const RedisReply& answer) mutable {
                       Server& its = servers_[index];
                       Answered(its, answer, at);
                       if (answer.kind() != RedisReply::kArray) {
                         return Answer(std::move(reply), Refusal(answer));
                       }
                       PublishResult result;
                       result.epoch = NumberOf(answer[0]);
                       result.offset = NumberOf(answer[1]);
                       result.duplicate = answer[2].integer() == 1;
                       result.recipients = NumberOf(answer[3]);
                       NotePublished(&its, topic, {.epoch = result.epoch, .head = result.offset});
                       Answer(std::move(reply), std::move(result));
                     });
  SlowDown(server, session);
}

void ClusterShard::PublishToUser(Publication publication) {
  const std::string user = publication.message.to();
  const size_t index = keys_.ServerOf(user);
  Server& server = servers_[index];
  const std::string channel = keys_.UserChannel(user);
  std::string id;
  std::vector<std::string_view> keys;
  if (!publication.publisher.empty()) {
    const bool of_session = publication.publisher.starts_with("session:");
    id = keys_.IdKey(publication, of_session ? node_ : std::string_view());
    keys.push_back(id);
  }
  publication.message.clear_to();
  const std::string message = publication.message.SerializeAsString();
  const std::string window = absl::StrCat(shard_.options().remembered_for.count());
  const std::array<std::string_view, 3> args = {channel, message, window};
  const SessionRef session = publication.reply.session;
  server.client->Run(
      DirectScript(), keys, args,
      [this, index, user, at = shard_.clock().Now(),
       reply = std::move(publication.reply)](const RedisReply& answer) mutable {
        Answered(servers_[index], answer, at);
        if (answer.kind() != RedisReply::kArray) return Answer(std::move(reply), Refusal(answer));
        PublishResult result;
        result.duplicate = answer[0].integer() == 1;
        result.recipients = NumberOf(answer[1]);
        if (result.recipients == 0) {
          result = {.outcome = Outcome::kNoRecipient,
                    .detail = absl::StrCat("no session of user \"", user, "\" is in the cluster")};
        }
        Answer(std::move(reply), std::move(result));
      });
  SlowDown(server, session);
}

PublishResult ClusterShard::Refusal(const RedisReply& answer) {
  if (answer.is_error() && answer.text().find("OOM") != std::string_view::npos) {
    return {.outcome = Outcome::kOverloaded, .detail = "the memory of the cluster's Redis is full"};
  }
  return {.outcome = Outcome::kUnavailable,
          .detail = std::string(Info(Outcome::kUnavailable).text)};
}

void ClusterShard::Answer(PublishReply reply, PublishResult result) {
  if (!IsTold(reply, result)) return;
  shard_.mail().Send(shard_.index(), PublishedMail{std::move(reply), std::move(result)});
}

void ClusterShard::SlowDown(const Server& server, SessionRef session) {
  if (server.client->outstanding_bytes() > kMostAhead) held_.Hold(&shard_, session);
}

void ClusterShard::Answered(const Server& server, const RedisReply& answer, TimePoint called) {
  if (!answer.is_lost()) {
    shard_.metrics().cluster_call_seconds.Observe(Seconds(shard_.clock().Now() - called));
  }
  ReleaseHeld(server);
}

void ClusterShard::ReleaseHeld(const Server& server) {
  if (!held_.empty() && server.client->outstanding_bytes() < kMostAhead / 2) {
    held_.ReleaseAll(&shard_);
  }
}

// --- What Redis has said, in case that it forgets it.

TopicPlace ClusterShard::SeenIn(const Server& server, const std::string& topic) const {
  const auto found = server.published.find(topic);
  return found == server.published.end() ? TopicPlace{} : found->second;
}

void ClusterShard::NotePublished(Server* server, const std::string& topic, TopicPlace place) {
  const auto found = server->published.find(topic);
  if (found == server->published.end()) {
    if (server->published.size() >= kMostPublished) {
      server->published.erase(server->published.begin());
    }
    server->published.emplace(topic, place);
    return;
  }
  TopicPlace& known = found->second;
  if (place.epoch > known.epoch || (place.epoch == known.epoch && place.head > known.head)) {
    known = place;
  }
}

// Redis is back, or another one in its place: of every topic that was published to from here, it
// has to have what it said that it has.
void ClusterShard::CheckPublished(size_t index) {
  Server& server = servers_[index];
  for (const auto& [topic, place] : server.published) {
    const std::string key = keys_.TopicKey(topic);
    const std::string stream = keys_.StreamKey(topic);
    const std::string channel = keys_.TopicChannel(topic);
    const std::string epoch = absl::StrCat(place.epoch);
    const std::string head = absl::StrCat(place.head);
    const std::array<std::string_view, 2> keys = {key, stream};
    const std::array<std::string_view, 4> args = {channel, epoch, head, "0"};
    server.client->Run(RenewScript(), keys, args, [this](const RedisReply& answer) {
      if (answer[2].integer() == 1) shard_.metrics().cluster_epochs_renewed.Add();
    });
  }
}

// --- The past.

void ClusterShard::ReadPast(const std::string& topic, uint64_t from, PastLimits limits,
                            PastDone done) {
  Server& server = servers_[keys_.ServerOf(topic)];
  const std::string key = keys_.TopicKey(topic);
  const std::string stream = keys_.StreamKey(topic);
  const std::string first = absl::StrCat(from);
  const std::string events = absl::StrCat(limits.events);
  const std::string bytes = absl::StrCat(limits.bytes);
  const std::array<std::string_view, 2> keys = {key, stream};
  const std::array<std::string_view, 3> args = {first, events, bytes};
  server.client->Run(
      PastScript(), keys, args,
      [this, topic, from, done = std::move(done)](const RedisReply& answer) mutable {
        PastEvents past;
        if (answer.kind() != RedisReply::kArray) {
          past.outcome = Outcome::kUnavailable;
          return done(std::move(past));
        }
        past.epoch = NumberOf(answer[0]);
        past.head = NumberOf(answer[1]);
        past.tail = NumberOf(answer[2]);
        const int64_t oldest = shard_.clock().WallNanos() -
                               std::chrono::nanoseconds(shard_.options().topic_log.age).count();
        uint64_t offset = std::max(from, past.tail);
        const RedisReply entries = answer[3];
        for (size_t i = 0; i < entries.size(); ++i, ++offset) {
          v1::Message message;
          const std::string_view bytes_of_it = entries[i].text();
          if (!message.ParseFromArray(bytes_of_it.data(), static_cast<int>(bytes_of_it.size())) ||
              (past.messages.empty() && message.received_at() < oldest)) {
            // Past its age: Redis drops them later.
            past.tail = offset + 1;
            past.messages.clear();
            continue;
          }
          message.set_topic(topic);
          message.set_epoch(past.epoch);
          message.set_offset(offset);
          past.messages.push_back(std::move(message));
        }
        done(std::move(past));
      });
}

// --- Users.

void ClusterShard::SetUser(const std::string& user, bool here) {
  const size_t index = keys_.ServerOf(user);
  RedisSubscriber& subscriber = *servers_[index].subscriber;
  if (!here) {
    users_.erase(user);
    subscriber.Unsubscribe(keys_.UserChannel(user));
    return UserIsHere(user);
  }
  users_[user] = index;
  if (subscriber.up()) coming_users_[user];
  subscriber.Subscribe(keys_.UserChannel(user), [this, user] { UserIsHere(user); });
}

void ClusterShard::TellMissed(size_t index) {
  for (const auto& [user, server] : users_) {
    if (server == index) shard_.publish_desk().TellMissed(user);
  }
}

void ClusterShard::AwaitUser(const std::string& user, absl::AnyInvocable<void()> done) {
  const auto found = coming_users_.find(user);
  if (found == coming_users_.end()) return done();
  found->second.push_back(std::move(done));
}

void ClusterShard::UserIsHere(const std::string& user) {
  const auto found = coming_users_.find(user);
  if (found == coming_users_.end()) return;
  auto waiting = std::move(found->second);
  coming_users_.erase(found);
  for (auto& done : waiting) done();
}

}  // namespace crier
