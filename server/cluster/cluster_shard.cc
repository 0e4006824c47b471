#include "server/cluster/cluster_shard.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/concat.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {
namespace {

// A slot of the table at a load of a half, and the name. In bytes.
int64_t MemoryOfUser(std::string_view user) {
  return static_cast<int64_t>(2 * (sizeof(std::pair<std::string, size_t>) + 1) + user.size());
}

}  // namespace

ClusterShard::ClusterShard(Shard* shard, const ClusterOptions* options, const ClusterKeys* keys,
                           const ClusterScripts* scripts, std::string_view node,
                           const NodeAnswerer* answerer, Hand hand)
    : shard_(*shard),
      options_(*options),
      keys_(*keys),
      scripts_(*scripts),
      node_(node),
      memory_(&shard->memory(), MemoryKind::kCluster),
      connections_(options->url.servers.size()),
      hand_(std::move(hand)) {
  const auto account = [this](int64_t bytes) { CountMemory(bytes); };
  for (size_t i = 0; i < connections_.size(); ++i) {
    Connect(i);
    servers_.push_back(
        {.client = connections_[i].client.get(), .subscriber = connections_[i].subscriber.get()});
  }
  talk_ = std::make_unique<NodeTalk>(shard->index(), keys, servers_.front(), node);
  calls_ = std::make_unique<NodeCalls>(shard, talk_.get(), answerer, account);
  watch_ = std::make_unique<PresenceWatch>(shard, talk_.get(), account);
  report_ = std::make_unique<PresenceReport>(shard, talk_.get(), account);
  links_ = std::make_unique<TopicLinks>(shard, keys, scripts, &servers_, account);
  talk_->Listen();
  shard->AddTicker([this](TimePoint now) { Tick(now); });
  for (Connections& server : connections_) {
    server.client->Start();
    server.subscriber->Start();
  }
}

ClusterShard::~ClusterShard() {
  for (Connections& server : connections_) {
    server.client->Stop();
    server.subscriber->Stop();
  }
}

void ClusterShard::Tick(TimePoint now) {
  calls_->Tick(now);
  watch_->Tick(now);
  report_->Tick(now);
  links_->Tick();
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i].life_failed) AskForLife(i);
  }
}

void ClusterShard::Connect(size_t index) {
  const auto account = [this](int64_t bytes) { CountMemory(bytes); };
  const RedisAddress& address = options_.url.servers[index];
  RedisClient::Options calls;
  calls.timeout = options_.timeout;
  calls.scripts = {&scripts_.life, &scripts_.publish, &scripts_.direct, &scripts_.past,
                   &scripts_.renew};
  calls.on_up = [this, index] { AskForLife(index); };
  calls.on_down = [this, index](std::string_view why) {
    servers_[index].life.clear();
    OnConnection(index, /*up=*/false, why);
  };
  calls.on_memory = account;
  Connections& server = connections_[index];
  server.client = std::make_unique<RedisClient>(&shard_.io(), address, std::move(calls));

  RedisSubscriber::Options channels;
  channels.timeout = options_.timeout;
  channels.on_message = [this](std::string_view channel, std::string_view payload) {
    OnMessage(channel, payload);
  };
  channels.on_up = [this, index] { OnConnection(index, /*up=*/true, {}); };
  channels.on_restored = [this, index] { OnRestored(index); };
  channels.on_down = [this, index](std::string_view why) {
    connections_[index].was_lost = true;
    OnConnection(index, /*up=*/false, why);
  };
  channels.on_memory = account;
  server.subscriber = std::make_unique<RedisSubscriber>(&shard_.io(), address, std::move(channels));
}

void ClusterShard::AskForLife(size_t index) {
  connections_[index].life_failed = false;
  connections_[index].client->Run(scripts_.life, {}, {}, [this, index](const RedisReply& reply) {
    if (reply.is_lost()) return;
    connections_[index].life_failed = reply.kind() != RedisReply::kArray;
    if (connections_[index].life_failed) {
      return LogConnection(index, /*up=*/false,
                           Concat({"asked for its life, it says ", reply.text()}));
    }
    servers_[index].life = std::string(reply[0].text());
    servers_[index].evicted = reply[1].number();
    OnConnection(index, /*up=*/true, {});
    links_->CheckAll(index, /*missed=*/false);
  });
}

void ClusterShard::OnConnection(size_t index, bool up, std::string_view why) {
  Connections& server = connections_[index];
  const int ups = (servers_[index].life.empty() ? 0 : 1) + (server.subscriber->up() ? 1 : 0);
  shard_.metrics().cluster_connections[index].Add(ups - std::exchange(server.ups, ups));
  if (!up) {
    ReleaseHeld(*server.client);
    // Their channels come again, some time.
    for (auto& [user, waiting] : std::exchange(coming_users_, {})) {
      for (auto& done : waiting) done();
    }
  }
  if (!up || ups == 2) LogConnection(index, up, why);
}

// One line for each change, of all shards together.
void ClusterShard::LogConnection(size_t index, bool up, std::string_view why) {
  if (shard_.index() != 0) return;
  Connections& server = connections_[index];
  if (up) {
    server.last_why.clear();
    if (!std::exchange(server.was_up, true)) {
      spdlog::info("cluster: connected to {}", options_.url.servers[index].Text());
    }
    return;
  }
  // Both connections go, one after the other, and each attempt fails for both.
  const bool was_up = std::exchange(server.was_up, false);
  if (!was_up && why == server.last_why) return;
  server.last_why = std::string(why);
  if (was_up) {
    spdlog::warn("cluster: {}; publishes are refused until it is back", why);
  } else {
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
    case ClusterKeys::Kind::kNode:
      return OnFrame(payload);
  }
}

void ClusterShard::OnRestored(size_t index) {
  const bool missed = std::exchange(connections_[index].was_lost, false);
  if (missed) {
    TellMissed(index);
    // Before the topics' places are asked for: what was evicted meanwhile has none.
    AskForLife(index);
  }
  links_->CheckAll(index, missed);
  if (index > 0) return;
  // What nodes say to each other was not heard in the meantime.
  watch_->Renew();
  if (shard_.index() > 0) return;
  cluster::NodeFrame frame;
  frame.mutable_began();
  talk_->TellAll(std::move(frame), nullptr);
}

void ClusterShard::TellEnd(absl::AnyInvocable<void()> told) {
  cluster::NodeFrame frame;
  frame.mutable_ended();
  talk_->TellAll(std::move(frame),
                 [told = std::move(told)](std::optional<size_t>) mutable { told(); });
}

void ClusterShard::OnFrame(std::string_view payload) {
  std::optional<cluster::NodeFrame> frame = talk_->Read(payload);
  if (!frame) return;
  const std::string& from = frame->from();
  switch (frame->frame_case()) {
    case cluster::NodeFrame::kQuestion:
      return calls_->OnQuestion(from, frame->question());
    case cluster::NodeFrame::kAnswer:
      return calls_->OnAnswer(from, std::move(*frame->mutable_answer()));
    case cluster::NodeFrame::kBegan:
      for (size_t i = 0; i < shard_.engine().shard_count(); ++i) {
        hand_(i, [](ClusterShard& other) { other.watch_->Renew(); });
      }
      return;
    case cluster::NodeFrame::kEnded:
      for (size_t i = 0; i < shard_.engine().shard_count(); ++i) {
        hand_(i, [node = std::string(NodeOf(from))](ClusterShard& other) {
          other.watch_->OnEnded(node);
        });
      }
      return;
    case cluster::NodeFrame::kWatch:
      return OnWatch(from, frame->watch());
    case cluster::NodeFrame::kResend:
      return report_->OnResend(from, frame->resend().topic());
    case cluster::NodeFrame::kMembers:
      return watch_->OnMembers(from, frame->members());
    case cluster::NodeFrame::kMembersChanged:
      return watch_->OnChanged(from, frame->members_changed());
    case cluster::NodeFrame::kVersions:
      return watch_->OnVersions(from, frame->versions());
    case cluster::NodeFrame::FRAME_NOT_SET:
      return;  // of a later version
  }
}

void ClusterShard::OnWatch(const std::string& from, const cluster::Watch& watch) {
  std::vector<cluster::Watch> by_home(shard_.engine().shard_count());
  for (const cluster::Watch::Topic& topic : watch.topics()) {
    cluster::Watch& part = by_home[shard_.engine().HomeIndexOf(topic.name())];
    part.set_ended(watch.ended());
    *part.add_topics() = topic;
  }
  for (size_t i = 0; i < by_home.size(); ++i) {
    if (by_home[i].topics().empty()) continue;
    hand_(i, [from, part = std::move(by_home[i])](ClusterShard& home) {
      home.report_->OnWatch(from, part);
    });
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

// --- The past.

void ClusterShard::ReadPast(const std::string& topic, uint64_t from, PastLimits limits,
                            PastDone done) {
  CountMemory(static_cast<int64_t>(sizeof(PastQuestion) + topic.size()));
  questions_.push_back({.topic = topic, .from = from, .limits = limits, .done = std::move(done)});
  ReadNext();
}

void ClusterShard::ReadNext() {
  // What cannot be asked is answered at once, from inside of this loop.
  if (std::exchange(reads_next_, true)) return;
  while (reading_ < kMostReading && !questions_.empty()) {
    PastQuestion question = std::move(questions_.front());
    questions_.pop_front();
    CountMemory(-static_cast<int64_t>(sizeof(PastQuestion) + question.topic.size()));
    Read(std::move(question));
  }
  reads_next_ = false;
}

void ClusterShard::Read(PastQuestion question) {
  ++reading_;
  const ClusterServer& server = servers_[keys_.ServerOf(question.topic)];
  const std::string key = keys_.TopicKey(question.topic);
  const std::string kept = keys_.EventsKey(question.topic);
  const std::string first = absl::StrCat(question.from);
  const std::string events = absl::StrCat(question.limits.events);
  const std::string bytes = absl::StrCat(question.limits.bytes);
  const std::array<std::string_view, 2> keys = {key, kept};
  const std::array<std::string_view, 3> args = {first, events, bytes};
  server.client->Run(
      scripts_.past, keys, args,
      [this, &server, question = std::move(question)](const RedisReply& answer) mutable {
        --reading_;
        PastEvents past = PastOf(question, server, answer);
        const bool all_too_old = past.messages.empty() && answer[3].size() > 0;
        if (all_too_old && past.tail <= past.head) {
          // Redis drops them later. What comes behind them may be younger.
          question.from = past.tail;
          Read(std::move(question));
        } else {
          if (past.outcome == Outcome::kOk) links_->Compare(question.topic, past.epoch);
          question.done(std::move(past));
        }
        ReadNext();
      });
}

PastEvents ClusterShard::PastOf(const PastQuestion& question, const ClusterServer& server,
                                const RedisReply& answer) const {
  PastEvents past;
  if (answer.kind() != RedisReply::kArray) {
    past.outcome = Outcome::kUnavailable;
    return past;
  }
  past.epoch = answer[0].number();
  if (past.epoch == 0) past.epoch = server.life_number();
  past.head = answer[1].number();
  past.tail = answer[2].number();
  const int64_t oldest =
      shard_.clock().WallNanos() - std::chrono::nanoseconds(shard_.options().topic_log.age).count();
  uint64_t offset = std::max(question.from, past.tail);
  const RedisReply entries = answer[3];
  for (size_t i = 0; i < entries.size(); ++i, ++offset) {
    v1::Message message;
    const std::string_view text = entries[i].text();
    if (!message.ParseFromArray(text.data(), static_cast<int>(text.size())) ||
        (past.messages.empty() && message.received_at() < oldest)) {
      past.tail = offset + 1;
      past.messages.clear();
      continue;
    }
    message.set_topic(question.topic);
    message.set_epoch(past.epoch);
    message.set_offset(offset);
    past.messages.push_back(std::move(message));
  }
  return past;
}

void ClusterShard::CountMemory(int64_t bytes) {
  bytes_ += bytes;
  memory_.Set(static_cast<size_t>(bytes_));
}

// --- Users.

void ClusterShard::SetUser(const std::string& user, bool here) {
  const size_t index = keys_.ServerOf(user);
  RedisSubscriber& subscriber = *servers_[index].subscriber;
  if (!here) {
    if (users_.erase(user) > 0) CountMemory(-MemoryOfUser(user));
    subscriber.Unsubscribe(keys_.UserChannel(user));
    return UserIsHere(user);
  }
  if (users_.emplace(user, index).second) CountMemory(MemoryOfUser(user));
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
