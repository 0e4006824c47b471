// The options of a benchmark run.
#ifndef CRIER_CLIENT_BENCH_BENCH_OPTIONS_H_
#define CRIER_CLIENT_BENCH_BENCH_OPTIONS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "client/tls.h"

namespace crier::bench {

// "crier bench --help" describes the options and their defaults.
struct BenchOptions {
  std::string mode;  // fanout, direct, storm, idle, study

  // Where.
  std::string transport = "ws";  // ws, grpc
  std::string url = "ws://127.0.0.1:8000/ws";
  std::string grpc_address = "127.0.0.1:50051";
  client::TlsFiles tls;
  std::string token;         // All clients give it; empty: none.
  uint64_t connections = 0;  // gRPC channels; 0: one per client, 100 at most.

  // All modes.
  uint64_t clients = 100;
  absl::Duration duration = absl::Seconds(10);
  absl::Duration ramp = absl::ZeroDuration();
  absl::Duration drain = absl::Seconds(10);
  uint64_t payload = 0;
  uint64_t server_pid = 0;  // 0: not measured.
  std::string json;         // A file, "-" for standard output, or empty.

  // fanout.
  double rate = 0;  // Messages per second in all; 0: the mode's own default.
  uint64_t publishers = 1;
  std::string topic;
  uint64_t topics = 0;
  double readers = 1.0;
  uint64_t stalled = 0;
  uint64_t slow = 0;
  uint64_t slow_rate = 10'000;

  // direct.
  uint64_t inflight = 1;

  // study.
  double scale_time = 1.0;
  double scale_waits = 1.0;
  double scale_users = 1.0;
  uint64_t messages = 100;
  uint64_t observers = 1;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_BENCH_OPTIONS_H_
