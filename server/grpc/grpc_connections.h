// All gRPC connections of one shard, and what they share.
#ifndef CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_
#define CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_

#include <boost/intrusive/list.hpp>

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
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_
