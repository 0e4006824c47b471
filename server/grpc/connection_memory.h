// What one HTTP/2 connection makes the server keep: nghttp2's own memory, which it takes through
// here, and what the connection's calls keep. It has a limit, and is a part of the engine's budget.
#ifndef CRIER_SERVER_GRPC_CONNECTION_MEMORY_H_
#define CRIER_SERVER_GRPC_CONNECTION_MEMORY_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

#include "server/engine/memory_budget.h"

namespace crier {

// Runs on: the connection's shard thread.
class ConnectionMemory {
 public:
  // `meter` outlives this object. `limit`: in bytes.
  ConnectionMemory(MemoryMeter* meter, size_t limit)
      : meter_(*meter), limit_(static_cast<int64_t>(limit)) {}
  ~ConnectionMemory() { meter_.Add(MemoryKind::kHttp2, -told_); }
  ConnectionMemory(const ConnectionMemory&) = delete;
  ConnectionMemory& operator=(const ConnectionMemory&) = delete;

  // For nghttp2. Counts what the allocator really gives. This object outlives its use.
  nghttp2_mem Allocator();
  // What nghttp2 has taken until now is that of an idle connection: it is not counted. How many
  // connections there may be has a limit of its own.
  void SetBase() { base_ = of_nghttp2_; }

  // There are so many calls more, or less.
  void AddCalls(int64_t calls) { calls_ += calls; }
  // A call keeps so many bytes more or less. The caller counts them in the engine's budget.
  void AddOfCalls(int64_t bytes) { of_calls_ += bytes; }
  // Tells the engine's budget of nghttp2's memory and of the calls themselves.
  void Tell() {
    if (const int64_t now = of_http2(); now != told_) {
      meter_.Add(MemoryKind::kHttp2, now - told_);
      told_ = now;
    }
  }

  int64_t bytes() const { return of_http2() + of_calls_; }
  // Nothing may grow.
  bool full() const { return bytes() >= limit_; }
  // Streams, and what waits to be sent in nghttp2.
  int64_t of_http2() const { return of_nghttp2_ - base_ + calls_ * kCallBytes; }
  // Not even those: the calls, which are refused at the limit, have answers.
  bool overfull() const { return of_http2() >= limit_; }
  // The client should send less.
  bool half_full() const { return bytes() >= limit_ / 2; }

 private:
  // A call and its handler, near enough.
  static constexpr int64_t kCallBytes = 512;

  MemoryMeter& meter_;
  const int64_t limit_;
  int64_t of_nghttp2_ = 0;
  int64_t base_ = 0;
  int64_t told_ = 0;
  int64_t calls_ = 0;
  int64_t of_calls_ = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_GRPC_CONNECTION_MEMORY_H_
