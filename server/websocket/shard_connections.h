// All WebSocket and HTTP connections of one shard, and what they share.
#ifndef CRIER_SERVER_WEBSOCKET_SHARD_CONNECTIONS_H_
#define CRIER_SERVER_WEBSOCKET_SHARD_CONNECTIONS_H_

#include "server/transport/connection_set.h"
#include "server/websocket/eager_runner.h"
#include "server/websocket/message_buffer.h"
#include "server/websocket/spare_streams.h"

namespace crier {

// Runs on: shard thread, all of it but the constructor.
class ShardConnections final : public ConnectionSet {
 public:
  explicit ShardConnections(Shard* shard)
      : ConnectionSet(shard), spare_streams_(shard->io()), eager_(shard->io()) {}
  ~ShardConnections() override { DestroyConnections(); }

  SpareStreams& spare_streams() { return spare_streams_; }
  MessageBuffers& buffers() { return buffers_; }
  EagerRunner& eager() { return eager_; }

 private:
  SpareStreams spare_streams_;
  MessageBuffers buffers_;
  EagerRunner eager_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_SHARD_CONNECTIONS_H_
