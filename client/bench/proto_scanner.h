// Reads the server's ServerFrames, at millions of events a second.
#ifndef CRIER_CLIENT_BENCH_PROTO_SCANNER_H_
#define CRIER_CLIENT_BENCH_PROTO_SCANNER_H_

#include <string_view>

#include "client/bench/delivery.h"
#include "crier/v1/message.pb.h"

namespace crier::bench {

// Reads the events of one encoded ServerFrame without building it. Of a Message it reads only the
// fields that the benchmark needs. protobuf parses any other event. Not thread-safe.
class ProtoScanner {
 public:
  // `frame` has to outlive the walk.
  void Start(std::string_view frame) { rest_ = frame; }

  enum class Result { kEvent, kEnd, kInvalid };
  // The delivery's views point into the frame or this scanner, and are valid until the next call.
  Result Next(Delivery* delivery);

 private:
  std::string_view rest_;
  v1::Event event_;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_PROTO_SCANNER_H_
