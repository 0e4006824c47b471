// Counts and times a run.
#ifndef CRIER_CLIENT_BENCH_METER_H_
#define CRIER_CLIENT_BENCH_METER_H_

#include <cstdint>

#include "absl/status/status.h"
#include "client/bench/histogram.h"
#include "client/bench/process_usage.h"
#include "client/bench/report.h"

namespace crier::bench {

// The measured window is between Begin and End. Meanwhile progress lines go to standard error: one
// a second if it is a terminal, else one every five seconds. Not thread-safe.
class Meter {
 public:
  // `server_pid` 0: the server's own use is not measured.
  explicit Meter(uint64_t server_pid);

  // NOT_FOUND: the server's process cannot be read.
  absl::Status Begin(int64_t now);
  void End(int64_t now);

  void Sent(uint64_t count = 1) { sent_ += count; }
  // Something arrived `latency_ns` after it was due to be sent.
  void Received(int64_t latency_ns) {
    interval_.Add(latency_ns > 0 ? static_cast<uint64_t>(latency_ns) : 0);
  }
  // Something arrived that carries no time.
  void ReceivedUntimed() { ++untimed_; }
  // The generator itself sent this much too late.
  void Late(int64_t late_ns) { lateness_.Add(late_ns > 0 ? static_cast<uint64_t>(late_ns) : 0); }

  // Writes a progress line if one is due. `note` is added to it.
  void Tick(int64_t now, std::string_view note = "");
  int64_t next_tick() const { return next_tick_; }

  uint64_t sent() const { return sent_; }
  uint64_t received() const { return total_.count() + interval_.count() + untimed_; }
  double seconds() const;
  // CPU seconds of the server in the window. 0 if not measured.
  double server_cpu() const { return server_end_.cpu_seconds - server_begin_.cpu_seconds; }
  const ProcessUsage& server_begin() const { return server_begin_; }
  const ProcessUsage& server_end() const { return server_end_; }
  bool measures_server() const { return server_pid_ != 0; }
  const Histogram& latency();

  // Adds duration, sent, received, rates, latency, and the two processes' use. The server's CPU is
  // also given per `unit` ("delivery", "round trip", "session"), of which there were `units`.
  void Describe(const char* unit, uint64_t units, Report* report);

 private:
  const uint64_t server_pid_;
  const bool terminal_;
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int64_t last_tick_ = 0;
  int64_t next_tick_ = 0;
  uint64_t sent_ = 0;
  uint64_t untimed_ = 0;
  uint64_t ticked_sent_ = 0;
  uint64_t ticked_received_ = 0;
  Histogram interval_;  // Since the last progress line.
  Histogram total_;     // Before that.
  Histogram lateness_;
  ProcessUsage server_begin_;
  ProcessUsage server_end_;
  double own_begin_ = 0;
  double own_end_ = 0;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_METER_H_
