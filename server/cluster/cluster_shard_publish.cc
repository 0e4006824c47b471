// ClusterShard: what is published on this node goes to Redis, and its answer to the publisher.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/cluster/cluster_shard.h"
#include "server/engine/engine.h"
#include "server/engine/shard.h"

namespace crier {

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
  const std::string& topic = publication.message.topic();
  const size_t index = keys_.ServerOf(topic);
  const ClusterServer& server = servers_[index];
  if (server.life.empty()) return Answer(std::move(publication.reply), UnavailableResult());
  const std::string key = keys_.TopicKey(topic);
  const std::string events = keys_.EventsKey(topic);
  const std::string channel = keys_.TopicChannel(topic);
  std::string id;
  std::vector<std::string_view> keys = {key, events};
  if (!publication.publisher.empty()) {
    id = IdKeyOf(publication);
    keys.push_back(id);
  }
  // The channel says where it goes.
  publication.message.clear_topic();
  const std::string message = publication.message.SerializeAsString();
  const std::array<std::string_view, 3> args = {channel, message, server.life};
  const SessionRef session = publication.reply.session;
  server.client->Run(scripts_.publish, keys, args,
                     [this, client = server.client, at = shard_.clock().Now(),
                      reply = std::move(publication.reply)](const RedisReply& answer) mutable {
                       Answered(*client, answer, at);
                       if (answer.kind() != RedisReply::kArray)
                         return Answer(std::move(reply), Refusal(answer));
                       PublishResult result;
                       result.epoch = answer[0].number();
                       result.offset = answer[1].number();
                       result.duplicate = answer[2].integer() == 1;
                       result.recipients = answer[3].number();
                       Answer(std::move(reply), std::move(result));
                     });
  SlowDown(*server.client, session);
}

std::string ClusterShard::IdKeyOf(const Publication& publication) const {
  // Sessions are numbered on each node for itself.
  const bool of_session = publication.publisher.starts_with("session:");
  return keys_.IdKey(publication, of_session ? std::string_view(node_) : std::string_view());
}

void ClusterShard::PublishToUser(Publication publication) {
  const std::string user = publication.message.to();
  const ClusterServer& server = servers_[keys_.ServerOf(user)];
  if (server.life.empty()) return Answer(std::move(publication.reply), UnavailableResult());
  const std::string channel = keys_.UserChannel(user);
  std::string id;
  std::vector<std::string_view> keys;
  if (!publication.publisher.empty()) {
    id = IdKeyOf(publication);
    keys.push_back(id);
  }
  publication.message.clear_to();
  const std::string message = publication.message.SerializeAsString();
  const std::array<std::string_view, 2> args = {channel, message};
  const SessionRef session = publication.reply.session;
  server.client->Run(
      scripts_.direct, keys, args,
      [this, client = server.client, user, at = shard_.clock().Now(),
       reply = std::move(publication.reply)](const RedisReply& answer) mutable {
        Answered(*client, answer, at);
        if (answer.kind() != RedisReply::kArray) return Answer(std::move(reply), Refusal(answer));
        PublishResult result;
        result.duplicate = answer[0].integer() == 1;
        result.recipients = answer[1].number();
        if (result.recipients == 0) {
          result = {.outcome = Outcome::kNoRecipient,
                    .detail = absl::StrCat("no session of user \"", user, "\" is in the cluster")};
        }
        Answer(std::move(reply), std::move(result));
      });
  SlowDown(*server.client, session);
}

PublishResult ClusterShard::UnavailableResult() {
  return {.outcome = Outcome::kUnavailable,
          .detail = std::string(Info(Outcome::kUnavailable).text)};
}

PublishResult ClusterShard::Refusal(const RedisReply& answer) {
  if (answer.is_error() && answer.text().find("OOM") != std::string_view::npos) {
    return {.outcome = Outcome::kOverloaded, .detail = "the memory of the cluster's Redis is full"};
  }
  return UnavailableResult();
}

void ClusterShard::Answer(PublishReply reply, PublishResult result) {
  if (!IsTold(reply, result)) return;
  shard_.mail().Send(shard_.index(), PublishedMail{std::move(reply), std::move(result)});
}

void ClusterShard::SlowDown(const RedisClient& client, SessionRef session) {
  if (client.outstanding_bytes() > kMostAhead) held_.Hold(&shard_, session);
}

void ClusterShard::Answered(const RedisClient& client, const RedisReply& answer, TimePoint called) {
  if (!answer.is_lost()) {
    shard_.metrics().cluster_call_seconds.Observe(Seconds(shard_.clock().Now() - called));
  }
  ReleaseHeld(client);
}

void ClusterShard::ReleaseHeld(const RedisClient& client) {
  if (!held_.empty() && client.outstanding_bytes() < kMostAhead / 2) held_.ReleaseAll(&shard_);
}

}  // namespace crier
