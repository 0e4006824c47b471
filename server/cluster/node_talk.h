// What one shard says to other nodes, and hears from them, through Redis's channels:
//
//   PUBLISH prefix:nodes            NodeFrame  -> all nodes, by their shard 0
//   PUBLISH prefix:node:NODE:SHARD  NodeFrame  -> one shard of one node
#ifndef CRIER_SERVER_CLUSTER_NODE_TALK_H_
#define CRIER_SERVER_CLUSTER_NODE_TALK_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "crier/cluster/node.pb.h"
#include "server/cluster/cluster_keys.h"
#include "server/cluster/topic_links.h"

namespace crier {

// NODE of NODE:SHARD.
std::string_view NodeOf(std::string_view name);

// Runs on: the shard's thread, all of it.
class NodeTalk {
 public:
  // Who has heard a frame; nullopt: nobody, since Redis is away.
  using Heard = absl::AnyInvocable<void(std::optional<size_t> nodes)>;

  // `keys` outlives this object, and `server`: the URL's first, which carries all this. `node`:
  // this one's name.
  NodeTalk(size_t shard, const ClusterKeys* keys, ClusterServer server, std::string_view node);

  // Hears what comes to this shard; and where it is the node's first, what comes to all nodes.
  void Listen();

  // Says it to all other nodes. `heard` runs once, with their number: later, or from inside of this
  // call where Redis is away. Null: nobody wants to know.
  void TellAll(cluster::NodeFrame frame, Heard heard);
  // Says it to one shard of another node (NODE:SHARD): 1 or 0 hears it.
  void Tell(std::string_view name, cluster::NodeFrame frame, Heard heard = nullptr);

  // A message on one of these channels. nullopt: it is not for this shard, or no frame.
  std::optional<cluster::NodeFrame> Read(std::string_view payload) const;

 private:
  void Publish(const std::string& channel, cluster::NodeFrame frame, size_t own, Heard heard);

  const size_t shard_;
  const ClusterKeys& keys_;
  const ClusterServer server_;
  const std::string node_;
  const std::string name_;  // NODE:SHARD
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_NODE_TALK_H_
