// All WebSocket and HTTP connections of one shard, and the state that they share.
#ifndef CRIER_SERVER_WEBSOCKET_SHARD_CONNECTIONS_H_
#define CRIER_SERVER_WEBSOCKET_SHARD_CONNECTIONS_H_

#include "server/transport/connection_set.h"
#include "server/websocket/frame_reader.h"

namespace crier {

// Runs on: shard thread, except the constructor.
class ShardConnections final : public ConnectionSet {
 public:
  explicit ShardConnections(Shard* shard)
      : ConnectionSet(shard), frame_readers_{.memory = &shard->memory()} {}
  ~ShardConnections() override { DestroyConnections(); }

  FrameReaderShared& frame_readers() { return frame_readers_; }

 private:
  FrameReaderShared frame_readers_;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_SHARD_CONNECTIONS_H_
