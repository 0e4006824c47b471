// All gRPC connections of one shard, and the state that they share.
#ifndef CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_
#define CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "server/grpc/method_table.h"
#include "server/grpc/options.h"
#include "server/grpc/violations.h"
#include "server/transport/buffer_pool.h"
#include "server/transport/connection_set.h"

namespace crier {

class Http2Connection;

struct MarkTag;
// Links a connection into the list of those that have something to send.
using MarkHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<MarkTag>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// Runs on: shard thread, except the constructor.
class GrpcConnections final : public ConnectionSet {
 public:
  // All outlive this object. `tls`: null where there is none.
  GrpcConnections(Shard* shard, const GrpcOptions* options, const MethodTable* methods,
                  const TlsContext* tls = nullptr);
  ~GrpcConnections() override;

  const GrpcOptions& options() const { return options_; }
  const MethodTable& methods() const { return methods_; }
  const TlsContext* tls() const { return tls_context_; }

  // The connection has something to send. `in_turn`: the shard's turns are under way, and their end
  // sends it.
  void Mark(Http2Connection* connection, bool in_turn);

  // For the bytes that a connection sends. The connection gives its buffer back, so that idle
  // connections hold no memory for sending.
  BufferPool& buffers() { return buffers_; }

  Violations& violations() { return violations_; }

  // When a connection that begins now is old enough to end: after GrpcOptions::max_connection_age,
  // give or take a tenth, so that those that came together do not leave together.
  TimePoint EndOfLife();

  // Sends what all marked connections have to send, together.
  void FlushMarked();
  void AfterWakes() override { FlushMarked(); }

 private:
  const GrpcOptions& options_;
  const MethodTable& methods_;
  const TlsContext* const tls_context_;
  boost::intrusive::list<Http2Connection, boost::intrusive::base_hook<MarkHook>,
                         boost::intrusive::constant_time_size<false>>
      marked_;
  bool flush_deferred_ = false;
  Violations violations_;
  std::minstd_rand random_{std::random_device()()};
  BufferPool buffers_;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_GRPC_CONNECTIONS_H_
