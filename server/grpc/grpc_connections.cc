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

std::string GrpcConnections::TakeBuffer() {
  if (spare_buffers_.empty()) return {};
  std::string buffer = std::move(spare_buffers_.back());
  spare_buffers_.pop_back();
  spare_bytes_ -= buffer.capacity();
  return buffer;
}

void GrpcConnections::GiveBackBuffer(std::string buffer) {
  if (spare_bytes_ + buffer.capacity() > kMostSpareBytes) return;
  buffer.clear();
  spare_bytes_ += buffer.capacity();
  spare_buffers_.push_back(std::move(buffer));
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
