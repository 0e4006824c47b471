#include "client/bench/meter.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/bench/bench_clock.h"
#include "client/text.h"

namespace crier::bench {
namespace {

// If the generator used this share of its core, it may have limited the run.
constexpr double kClientBound = 0.95;

double Mebibytes(uint64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); }

}  // namespace

Meter::Meter(uint64_t server_pid)
    : server_pid_(server_pid), terminal_(isatty(STDERR_FILENO) != 0) {}

absl::Status Meter::Begin(int64_t now) {
  if (server_pid_ != 0) {
    absl::StatusOr<ProcessUsage> usage = UsageOf(server_pid_);
    if (!usage.ok()) return usage.status();
    server_begin_ = *usage;
  }
  own_begin_ = OwnCpuSeconds();
  begin_ = last_tick_ = now;
  next_tick_ = now + (terminal_ ? 1 : 5) * kSecond;
  return absl::OkStatus();
}

void Meter::End(int64_t now) {
  end_ = now;
  own_end_ = OwnCpuSeconds();
  if (server_pid_ != 0) server_end_ = UsageOf(server_pid_).value_or(server_begin_);
}

double Meter::seconds() const { return static_cast<double>(end_ - begin_) / 1e9; }

const Histogram& Meter::latency() {
  total_.Merge(interval_);
  interval_.Clear();
  return total_;
}

void Meter::Tick(int64_t now, std::string_view note) {
  if (now < next_tick_) return;
  const double seconds = static_cast<double>(now - last_tick_) / 1e9;
  const double p99 = static_cast<double>(interval_.Percentile(0.99)) / 1e6;
  const uint64_t received_now = received();
  absl::FPrintF(stderr, "%5.0f s  sent %.0f/s  received %.0f/s  p99 %.2f ms%s%s\n",
                static_cast<double>(now - begin_) / 1e9,
                static_cast<double>(sent_ - ticked_sent_) / seconds,
                static_cast<double>(received_now - ticked_received_) / seconds, p99,
                note.empty() ? "" : "  ", ForAbsl(note));
  total_.Merge(interval_);
  interval_.Clear();
  ticked_sent_ = sent_;
  ticked_received_ = received_now;
  last_tick_ = now;
  next_tick_ += (terminal_ ? 1 : 5) * kSecond;
}

void Meter::Describe(const char* unit, uint64_t units, Report* report) {
  const double window = seconds();
  report->Real("seconds", "measured", window, 2, "s");
  report->Count("sent", "sent", sent_);
  report->Real("sent_per_second", "", static_cast<double>(sent_) / window, 0);
  report->Count("received", "received", received());
  report->Real("received_per_second", "received per second",
               static_cast<double>(received()) / window, 0);
  report->Latency("latency", "latency, ms", latency());
  report->Latency("lateness", "generator late, ms", lateness_);
  if (measures_server()) {
    report->Real("server_cpu_seconds", "server CPU", server_cpu(), 2, "s");
    report->Real("server_cpu_percent", "server CPU share", 100 * server_cpu() / window, 1,
                 "% of a core");
    if (units > 0) {
      report->Real(Concat("server_cpu_us_per_", absl::StrReplaceAll(unit, {{" ", "_"}})),
                   Concat("server CPU per ", unit), 1e6 * server_cpu() / static_cast<double>(units),
                   3, "us");
    }
    report->Real("server_rss_mib", "server RSS", Mebibytes(server_end_.rss_bytes), 1, "MiB");
    report->Real("server_peak_rss_mib", "server RSS, peak", Mebibytes(server_end_.peak_rss_bytes),
                 1, "MiB");
  }
  const double share = (own_end_ - own_begin_) / window;
  const bool bound = share >= kClientBound;
  report->Text("", "generator CPU share",
               absl::StrFormat("%.1f %% of a core%s", 100 * share, bound ? "  client-bound" : ""));
  report->Real("generator_cpu_percent", "", 100 * share, 1);
  report->Flag("client_bound", bound);
}

}  // namespace crier::bench
