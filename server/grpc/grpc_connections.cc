#include "server/grpc/grpc_connections.h"

#include <utility>

#include "server/grpc/http2_connection.h"

namespace crier {

GrpcConnections::GrpcConnections(Shard* shard, const GrpcOptions* options,
                                 const MethodTable* methods)
    : ConnectionSet(shard), options_(*options), methods_(*methods) {}

GrpcConnections::~GrpcConnections() { DestroyConnections(); }

void GrpcConnections::Mark(Http2Connection* connection, bool in_turn) {
  if (!static_cast<MarkHook*>(connection)->is_linked()) marked_.push_back(*connection);
  if (in_turn || std::exchange(flush_deferred_, true)) return;
  poller().Defer([this] {
    flush_deferred_ = false;
    FlushMarked();
  });
}

void GrpcConnections::FlushMarked() {
  // Only these: a connection that has more than one flush takes is marked again, for the next.
  decltype(marked_) now;
  now.swap(marked_);
  while (!now.empty()) {
    Http2Connection& connection = now.front();
    now.pop_front();
    connection.FlushInto(&sends());
  }
  sends().Submit();
}

}  // namespace crier
