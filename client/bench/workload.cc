#include "client/bench/workload.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "client/address.h"
#include "client/tcp_connection.h"
#include "client/text.h"

namespace crier::bench {
namespace {

// Handshakes under way at once: enough to keep a server busy, few enough for its backlog.
constexpr uint64_t kHandshakes = 128;
constexpr int64_t kConnectTimeout = 60 * kSecond;
// Besides the sessions: standard streams, epoll, gRPC's own.
constexpr uint64_t kSpareFiles = 64;
constexpr size_t kCausesShown = 5;

}  // namespace

absl::Status RaiseFileLimit(uint64_t sessions) {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (sessions + kSpareFiles <= limit.rlim_cur) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      Concat(sessions, " clients need ", sessions + kSpareFiles,
             " open files, but this process may open only ", limit.rlim_cur,
             "; raise the limit (ulimit -Hn) or ask for at most ",
             limit.rlim_cur > kSpareFiles ? limit.rlim_cur - kSpareFiles : 0, " clients"));
}

Workload::Workload(const BenchOptions& options, uint32_t slots, std::vector<std::string> topics)
    : options_(options),
      slots_(slots),
      topics_(std::move(topics)),
      meter_(options.server_pid),
      open_(slots) {}

absl::Status Workload::Run(Report* report) {
  const bool grpc = options_.transport == "grpc";
  SwarmOptions swarm_options;
  swarm_options.tls = options_.tls;
  swarm_options.token = options_.token;
  swarm_options.slots = slots_;
  swarm_options.topics = topics_;
  swarm_options.url = options_.url;
  swarm_options.grpc_address = options_.grpc_address;
  swarm_options.connections = static_cast<uint32_t>(
      options_.connections != 0 ? options_.connections : std::min<uint64_t>(slots_, 100));
  const uint64_t sockets = grpc ? swarm_options.connections : slots_;
  if (absl::Status status = RaiseFileLimit(sockets); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Swarm>> made =
      grpc ? MakeGrpcSwarm(swarm_options, this) : MakeWebSocketSwarm(swarm_options, this);
  if (!made.ok()) return made.status();
  swarm_ = *std::move(made);
  report->Text("mode", "", options_.mode);
  report->Text("transport", "", options_.transport);
  absl::Status status = Execute(report);
  swarm_.reset();
  return absl::IsUnavailable(status) ? Explained(status) : status;
}

absl::Status Workload::Explained(const absl::Status& status) const {
  if (options_.transport == "grpc") {
    const auto target = client::ParseHostAndPort(options_.grpc_address);
    return target.ok()
               ? client::WhyNoSession(target->host, target->port, client::kGrpcListen, status)
               : status;
  }
  const auto target = client::ParseWebSocketUrl(options_.url);
  return target.ok() ? client::WhyNoSession(target->host, target->port, client::kHttpListen, status)
                     : status;
}

void Workload::OnOpen(uint32_t slot, int64_t connect_ns) {
  open_[slot] = true;
  ++opened_;
  connect_times_.Add(static_cast<uint64_t>(connect_ns));
}

void Workload::OnEnd(uint32_t slot, const SessionEnd& end) {
  if (!open_[slot]) {
    ++failed_to_open_;
    Blame(end.what);
    return;
  }
  open_[slot] = false;
  OnUnexpectedEnd(slot, end);
}

void Workload::OnUnexpectedEnd(uint32_t /*slot*/, const SessionEnd& end) {
  ++ended_unexpectedly_;
  Blame(end.what);
}

absl::Status Workload::ConnectAll(uint32_t count, Report* report) {
  const int64_t begin = NowNs();
  const int64_t ramp = absl::ToInt64Nanoseconds(options_.ramp);
  const int64_t deadline = begin + ramp + kConnectTimeout;
  uint32_t next = 0;
  while (opened_ + failed_to_open_ < count) {
    const int64_t now = NowNs();
    if (now > deadline) break;
    int64_t wake = std::min(deadline, now + 100 * kMillisecond);
    while (next < count && next - opened_ - failed_to_open_ < kHandshakes) {
      const int64_t due = begin + ramp / count * next;
      if (due > now) {
        wake = std::min(wake, due);
        break;
      }
      swarm_->Open(next++);
    }
    swarm_->Poll(wake);
  }
  if (opened_ == 0) {
    return absl::UnavailableError(
        Concat("no client could connect to ",
               options_.transport == "grpc" ? options_.grpc_address : options_.url, ": ",
               causes_.empty() ? "no answer" : causes_.begin()->first));
  }
  if (opened_ < count) {
    report->Fail(Concat(count - opened_, " of ", count, " clients could not connect"));
  }
  report->Real("connect_seconds", "all connected after", static_cast<double>(NowNs() - begin) / 1e9,
               2, "s");
  return absl::OkStatus();
}

void Workload::Leave(uint32_t slot, uint16_t code) {
  open_[slot] = false;
  swarm_->Leave(slot, code);
}

bool Workload::PollUntil(int64_t deadline, absl::FunctionRef<bool()> done) {
  while (!done()) {
    const int64_t now = NowNs();
    if (now >= deadline) return false;
    swarm_->Poll(std::min(deadline, now + 20 * kMillisecond));
  }
  return true;
}

void Workload::DescribeSessions(Report* report) const {
  report->Count("sessions", "sessions opened", opened_);
  report->Latency("connect", "connect, ms", connect_times_);
  report->Count("connects_failed", failed_to_open_ == 0 ? "" : "failed to connect",
                failed_to_open_);
  report->Count("ended_unexpectedly", "ended unexpectedly", ended_unexpectedly_);
  size_t shown = 0;
  for (const auto& [what, count] : causes_) {
    if (++shown > kCausesShown) break;
    report->Text("", "  " + Concat(count, " x"), what);
  }
  if (failed_to_open_ > 0) report->Fail(Concat(failed_to_open_, " connects failed"));
  if (ended_unexpectedly_ > 0) {
    report->Fail(Concat(ended_unexpectedly_, " sessions ended that should not have"));
  }
}

std::string_view Workload::Body(int64_t stamp) {
  char digits[24];
  const auto result = std::to_chars(digits, digits + sizeof(digits), stamp);
  body_.assign(digits, result.ptr - digits);
  if (body_.size() < options_.payload) body_.resize(options_.payload, 'x');
  return body_;
}

}  // namespace crier::bench
