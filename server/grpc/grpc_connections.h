// All gRPC connections of one shard, and what they share.
#ifndef CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_
#define CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "server/grpc/method_table.h"
#include "server/grpc/options.h"
#include "server/transport/connection_set.h"

namespace crier {

class Http2Connection;

struct MarkTag;
// Links a connection into the list of those that have something to send.
using MarkHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<MarkTag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Runs on: shard thread, all of it but the constructor.
class GrpcConnections final : public ConnectionSet {
 public:
  // All three outlive this object.
  GrpcConnections(Shard* shard, const GrpcOptions* options, const MethodTable* methods);
  ~GrpcConnections() override;

  const GrpcOptions& options() const { return options_; }
  const MethodTable& methods() const { return methods_; }

  // The connection has something to send. `in_turn`: the shard's turns are under way, and their end
  // sends it.
  void Mark(Http2Connection* connection, bool in_turn);

  // An empty string with room, or without, for what a connection sends; to be given back, so that
  // connections that have nothing to send hold no memory for it.
  std::string TakeBuffer();
  void GiveBackBuffer(std::string buffer);

  // Sends what all marked connections have, together.
  void FlushMarked();
  void AfterWakes() override { FlushMarked(); }

 private:
  const GrpcOptions& options_;
  const MethodTable& methods_;
  boost::intrusive::list<Http2Connection, boost::intrusive::base_hook<MarkHook>,
                         boost::intrusive::constant_time_size<false>>
      marked_;
  bool flush_deferred_ = false;

  // As much as the connections of one batch need.
  static constexpr size_t kMostSpareBytes = 1 << 20;
  std::vector<std::string> spare_buffers_;
  size_t spare_bytes_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_
