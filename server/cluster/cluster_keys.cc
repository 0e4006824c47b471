#include "server/cluster/cluster_keys.h"

#include <sodium.h>

#include <array>
#include <cassert>
#include <cstdint>
#include <utility>

#include "server/base/concat.h"

namespace crier {
namespace {

constexpr std::string_view kTopicKind = "topic:";
constexpr std::string_view kLifeKind = "life";
constexpr std::string_view kEventsKind = "events:";
constexpr std::string_view kIdKind = "id:";
// Of channels, which are no keys.
constexpr std::string_view kFollowKind = "follow:";
constexpr std::string_view kUserKind = "user:";
constexpr std::string_view kNodesKind = "nodes";
constexpr std::string_view kNodeKind = "node:";

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The same on all nodes, other than HashName.
uint64_t Score(std::string_view server, std::string_view name) {
  static constexpr std::array<unsigned char, crypto_shorthash_KEYBYTES> kKey{};
  const std::string both = Concat({server, " ", name});
  uint64_t score = 0;
  static_assert(crypto_shorthash_BYTES == sizeof(score));
  crypto_shorthash(reinterpret_cast<unsigned char*>(&score), Bytes(both), both.size(), kKey.data());
  return score;
}

}  // namespace

ClusterKeys::ClusterKeys(const ClusterUrl& url) : prefix_(url.prefix) {
  for (const RedisAddress& server : url.servers) servers_.push_back(server.Text());
}

std::string ClusterKeys::Key(std::string_view kind, std::string_view name) const {
  return Concat({prefix_, kind, name});
}

std::string ClusterKeys::TopicKey(std::string_view topic) const { return Key(kTopicKind, topic); }
std::string ClusterKeys::LifeKey() const { return Key(kLifeKind, {}); }
std::string ClusterKeys::EventsKey(std::string_view topic) const { return Key(kEventsKind, topic); }
std::string ClusterKeys::TopicChannel(std::string_view topic) const {
  return Key(kFollowKind, topic);
}
std::string ClusterKeys::UserChannel(std::string_view user) const { return Key(kUserKind, user); }

std::string ClusterKeys::IdKey(const Publication& publication, std::string_view node) const {
  const v1::Message& message = publication.message;
  const bool direct = message.action_type() == v1::DIRECT;
  // Lengths keep ("ab", "c") and ("a", "bc") apart.
  std::string whole(1, direct ? 'd' : 'b');
  for (const std::string_view part : {node, std::string_view(publication.publisher),
                                      std::string_view(direct ? message.to() : message.topic()),
                                      std::string_view(message.id())}) {
    whole.append(std::to_string(part.size())).append(" ").append(part);
  }
  std::array<unsigned char, 16> digest;
  crypto_generichash(digest.data(), digest.size(), Bytes(whole), whole.size(), nullptr, 0);
  std::array<char, 2 * digest.size() + 1> hex;
  return Key(kIdKind, sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size()));
}

std::string ClusterKeys::NodesChannel() const { return Key(kNodesKind, {}); }
std::string ClusterKeys::NodeChannel(std::string_view name) const { return Key(kNodeKind, name); }

ClusterKeys::Target ClusterKeys::TargetOf(std::string_view channel) const {
  assert(channel.starts_with(prefix_));
  channel.remove_prefix(prefix_.size());
  for (const auto& [text, kind] :
       {std::pair{kUserKind, Kind::kUser}, {kNodeKind, Kind::kNode}, {kNodesKind, Kind::kNodes}}) {
    if (!channel.starts_with(text)) continue;
    channel.remove_prefix(text.size());
    return {.kind = kind, .name = channel};
  }
  channel.remove_prefix(kFollowKind.size());
  return {.kind = Kind::kTopic, .name = channel};
}

size_t ClusterKeys::ServerOf(std::string_view name) const {
  if (servers_.size() == 1) return 0;
  size_t best = 0;
  uint64_t best_score = 0;
  for (size_t i = 0; i < servers_.size(); ++i) {
    const uint64_t score = Score(servers_[i], name);
    if (i == 0 || score > best_score) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

}  // namespace crier
