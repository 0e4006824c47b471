#include "client/cli/top_nodes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace crier::cli {
namespace {

constexpr double kMiB = 1 << 20;
constexpr size_t kNameWidth = 32;

double SecondsOf(const google::protobuf::Timestamp& time) {
  return static_cast<double>(time.seconds()) + 1e-9 * time.nanos();
}

// Since the node's start, by its own clock: "3d 4h".
std::string UpTime(const v1::NodeInfo& node) {
  const auto seconds = static_cast<int64_t>(
      std::max(0.0, SecondsOf(node.stats().at()) - SecondsOf(node.started_at())));
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  if (hours >= 24) return absl::StrCat(hours / 24, "d ", hours % 24, "h");
  if (hours > 0) return absl::StrCat(hours, "h ", minutes % 60, "m");
  if (minutes > 0) return absl::StrCat(minutes, "m");
  return absl::StrCat(seconds, "s");
}

std::string NotesOf(const v1::NodeInfo& node) {
  std::string notes = node.version();
  if (node.asked()) notes += ", this one";
  if (node.draining()) notes += ", drains";
  return notes;
}

}  // namespace

void Numbers::Add(const Numbers& other) {
  websocket_sessions += other.websocket_sessions;
  grpc_sessions += other.grpc_sessions;
  lagging_sessions += other.lagging_sessions;
  connections += other.connections;
  topics += other.topics;
  memory_bytes += other.memory_bytes;
  memory_budget += other.memory_budget;
  received += other.received;
  delivered += other.delivered;
  skipped += other.skipped;
  bytes_sent += other.bytes_sent;
  ended += other.ended;
  refused += other.refused;
}

Numbers NumbersOf(const v1::Stats& before, const v1::Stats& now) {
  const double seconds = std::max(1e-3, SecondsOf(now.at()) - SecondsOf(before.at()));
  const auto rate = [seconds](uint64_t earlier, uint64_t later) {
    return later < earlier ? 0 : static_cast<double>(later - earlier) / seconds;
  };
  return {.websocket_sessions = now.websocket_sessions(),
          .grpc_sessions = now.grpc_sessions(),
          .lagging_sessions = now.lagging_sessions(),
          .connections = now.connections(),
          .topics = now.topics(),
          .memory_bytes = now.memory_bytes(),
          .memory_budget = now.memory_budget(),
          .received = rate(before.messages_received(), now.messages_received()),
          .delivered = rate(before.events_delivered(), now.events_delivered()),
          .skipped = rate(before.events_skipped(), now.events_skipped()),
          .bytes_sent = rate(before.bytes_sent(), now.bytes_sent()),
          .ended = rate(before.sessions_ended(), now.sessions_ended()),
          .refused = rate(before.connections_refused(), now.connections_refused())};
}

absl::Status TopNodes::Look(client::AdminClient* client) {
  v1::ListNodesRequest request;
  v1::ListNodesResponse response;
  absl::Status status = client->Call("ListNodes", request, &response);
  away_ = absl::IsUnavailable(status);
  if (away_) {
    request.set_node(".");
    status = client->Call("ListNodes", request, &response);
  }
  if (!status.ok()) return status;
  silent_ = response.silent_nodes();
  nodes_.clear();
  std::map<std::string, v1::Stats> known;
  for (v1::NodeInfo& info : *response.mutable_nodes()) {
    const auto before = known_.find(info.node());
    const Numbers numbers =
        NumbersOf(before == known_.end() ? info.stats() : before->second, info.stats());
    known[info.node()] = info.stats();
    nodes_.push_back({.info = std::move(info), .numbers = numbers});
  }
  known_ = std::move(known);
  return absl::OkStatus();
}

Numbers TopNodes::Sum() const {
  Numbers sum;
  for (const Node& node : nodes_) sum.Add(node.numbers);
  return sum;
}

std::string TopNodes::Trouble() const {
  if (away_) return ", Redis is away: the others cannot be asked";
  if (silent_ == 0) return {};
  return absl::StrCat(", ", silent_, silent_ == 1 ? " does" : " do", " not answer");
}

std::string TopNodes::Table(size_t most) const {
  std::string table = absl::StrFormat(
      "%-*s %10s %11s %12s %8s %10s %7s %8s  %s\n", static_cast<int>(kNameWidth), "NODE",
      "SESSIONS", "RECEIVED/S", "DELIVERED/S", "TOPICS", "MIB KEPT", "BUDGET", "UP", "VERSION");
  for (size_t i = 0; i < std::min(most, nodes_.size()); ++i) {
    const auto& [info, numbers] = nodes_[i];
    const auto kept = static_cast<double>(numbers.memory_bytes);
    const double share =
        numbers.memory_budget == 0 ? 0 : 100 * kept / static_cast<double>(numbers.memory_budget);
    absl::StrAppendFormat(&table, "%-*s %10u %11.1f %12.1f %8u %10.1f %6.0f%% %8s  %s\n",
                          static_cast<int>(kNameWidth), info.node().substr(0, kNameWidth),
                          numbers.sessions(), numbers.received, numbers.delivered, numbers.topics,
                          kept / kMiB, share, UpTime(info), NotesOf(info));
  }
  if (nodes_.size() > most) absl::StrAppend(&table, "(and ", nodes_.size() - most, " more)\n");
  return table + "\n";
}

size_t TopNodes::TableLines(size_t most) const {
  return std::min(most, nodes_.size()) + (nodes_.size() > most ? 3 : 2);
}

}  // namespace crier::cli
