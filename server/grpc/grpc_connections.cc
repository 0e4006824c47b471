#include "server/grpc/grpc_connections.h"

#include <chrono>
#include <utility>

#include "server/grpc/http2_connection.h"

namespace crier {

GrpcConnections::GrpcConnections(Shard* shard, const GrpcOptions* options,
                                 const MethodTable* methods, const TlsContext* tls)
    : ConnectionSet(shard),
      options_(*options),
      methods_(*methods),
      tls_context_(tls),
      violations_(&shard->metrics()) {}

GrpcConnections::~GrpcConnections() { DestroyConnections(); }

void GrpcConnections::Mark(Http2Connection* connection, bool in_turn) {
  if (!static_cast<MarkHook*>(connection)->is_linked()) marked_.push_back(*connection);
  if (in_turn || std::exchange(flush_deferred_, true)) return;
  poller().Defer([this] {
    flush_deferred_ = false;
    FlushMarked();
  });
}

TimePoint GrpcConnections::EndOfLife() {
  if (options_.max_connection_age.count() == 0) return TimePoint::max();
  std::uniform_real_distribution<double> share(0.9, 1.1);
  return poller().now() +
         std::chrono::duration_cast<Duration>(options_.max_connection_age * share(random_));
}

void GrpcConnections::FlushMarked() {
  // Only these: a connection that has more than one flush takes is marked again for the next flush.
  decltype(marked_) now;
  now.swap(marked_);
  while (!now.empty()) {
    Http2Connection& connection = now.front();
    now.pop_front();
    Guard(&connection, [this, &connection] { connection.FlushInto(&sends()); });
  }
  sends().Submit();
}

}  // namespace crier
