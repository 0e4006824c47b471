#include "server/cluster/node_talk.h"

#include <algorithm>
#include <array>
#include <utility>

#include "server/base/concat.h"

namespace crier {

std::string_view NodeOf(std::string_view name) { return name.substr(0, name.rfind(':')); }

NodeTalk::NodeTalk(size_t shard, const ClusterKeys* keys, ClusterServer server,
                   std::string_view node)
    : shard_(shard),
      keys_(*keys),
      server_(std::move(server)),
      node_(node),
      name_(Concat({node, ":", std::to_string(shard)})) {}

void NodeTalk::Listen() {
  server_.subscriber->Subscribe(keys_.NodeChannel(name_), nullptr);
  if (shard_ == 0) server_.subscriber->Subscribe(keys_.NodesChannel(), nullptr);
}

void NodeTalk::TellAll(cluster::NodeFrame frame, Heard heard) {
  // This node hears itself.
  Publish(keys_.NodesChannel(), std::move(frame), /*own=*/1, std::move(heard));
}

void NodeTalk::Tell(std::string_view name, cluster::NodeFrame frame, Heard heard) {
  Publish(keys_.NodeChannel(name), std::move(frame), /*own=*/0, std::move(heard));
}

void NodeTalk::Publish(const std::string& channel, cluster::NodeFrame frame, size_t own,
                       Heard heard) {
  frame.set_from(name_);
  const std::string payload = frame.SerializeAsString();
  const std::array<std::string_view, 3> args = {"PUBLISH", channel, payload};
  RedisClient::Done done = nullptr;
  if (heard) {
    done = [own, heard = std::move(heard)](const RedisReply& reply) mutable {
      if (reply.kind() != RedisReply::kInteger) return heard(std::nullopt);
      heard(std::max(static_cast<size_t>(reply.integer()), own) - own);
    };
  }
  server_.client->Call(args, std::move(done));
}

std::optional<cluster::NodeFrame> NodeTalk::Read(std::string_view payload) const {
  cluster::NodeFrame frame;
  if (!frame.ParseFromArray(payload.data(), static_cast<int>(payload.size())) ||
      NodeOf(frame.from()) == node_) {
    return std::nullopt;
  }
  return frame;
}

}  // namespace crier
