#include "client/bench/idle.h"

namespace crier::bench {

Idle::Idle(const BenchOptions& options)
    : Workload(options, static_cast<uint32_t>(options.clients), {""}) {}

absl::Status Idle::Execute(Report* report) {
  const auto count = static_cast<uint32_t>(options().clients);
  if (absl::Status status = meter().Begin(NowNs()); !status.ok()) return status;
  if (absl::Status status = ConnectAll(count, report); !status.ok()) return status;
  PollUntil(NowNs() + absl::ToInt64Nanoseconds(options().duration), [] { return false; });
  meter().End(NowNs());
  report->Count("clients", "clients", count);
  if (meter().measures_server()) {
    const ProcessUsage& begin = meter().server_begin();
    const ProcessUsage& end = meter().server_end();
    const auto before = static_cast<double>(begin.rss_bytes);
    const auto after = static_cast<double>(end.rss_bytes);
    // Code that is needed for the first of them is no growth for each.
    const double grown =
        after - before -
        (static_cast<double>(end.rss_file_bytes) - static_cast<double>(begin.rss_file_bytes));
    report->Real("server_rss_before_mib", "server RSS before", before / 1048576, 1, "MiB");
    report->Real("server_rss_mib", "server RSS after", after / 1048576, 1, "MiB");
    report->Real("kib_per_client", "growth per client", grown / 1024 / count, 2, "KiB");
    report->Real("server_cpu_us_per_session", "server CPU per session",
                 1e6 * meter().server_cpu() / count, 1, "us");
  }
  DescribeSessions(report);
  return absl::OkStatus();
}

}  // namespace crier::bench
