#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "client/admin_client.h"
#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/option_parser.h"
#include "crier/v1/admin.pb.h"

namespace crier::cli {
namespace {

constexpr double kMiB = 1 << 20;
constexpr size_t kNameWidth = 40;

double SecondsOf(const google::protobuf::Timestamp& time) {
  return static_cast<double>(time.seconds()) + 1e-9 * time.nanos();
}

// What happened between two looks, per second.
class Rates {
 public:
  Rates(const v1::Stats& before, const v1::Stats& now)
      : seconds_(std::max(1e-3, SecondsOf(now.at()) - SecondsOf(before.at()))) {}
  double Of(uint64_t before, uint64_t now) const {
    return now < before ? 0 : static_cast<double>(now - before) / seconds_;
  }

 private:
  double seconds_;
};

std::string Shown(std::string_view name) {
  if (name.empty()) return "(the common topic)";
  std::string shown;
  for (const char c : name.substr(0, kNameWidth)) {
    shown += absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? '?' : c;
  }
  return shown;
}

// The topics of a page that most happens in.
class Topics {
 public:
  // Looks at the first page only: a server may have a million.
  absl::Status Look(client::AdminClient* client) {
    v1::ListTopicsResponse page;
    const absl::Status status = client->Call("ListTopics", v1::ListTopicsRequest(), &page);
    if (!status.ok()) return status;
    rows_.assign(page.topics().begin(), page.topics().end());
    more_ = !page.next_page_token().empty();
    std::sort(rows_.begin(), rows_.end(), [](const auto& a, const auto& b) {
      return std::pair(a.messages_per_second(), a.followers()) >
             std::pair(b.messages_per_second(), b.followers());
    });
    return absl::OkStatus();
  }
  std::string Table(size_t most) const {
    std::string table = absl::StrFormat("%-*s %10s %10s %12s %10s\n", static_cast<int>(kNameWidth),
                                        "TOPIC", "FOLLOWERS", "EVENTS/S", "HEAD", "KIB KEPT");
    for (size_t i = 0; i < std::min(most, rows_.size()); ++i) {
      const v1::TopicInfo& topic = rows_[i];
      absl::StrAppendFormat(&table, "%-*s %10u %10.1f %12u %10.1f\n", static_cast<int>(kNameWidth),
                            Shown(topic.topic()), topic.followers(), topic.messages_per_second(),
                            topic.head(), static_cast<double>(topic.bytes()) / 1024);
    }
    if (more_) table += "(of some 500 topics of the server's)\n";
    return table;
  }

 private:
  std::vector<v1::TopicInfo> rows_;
  bool more_ = false;
};

std::string Lines(const v1::Stats& before, const v1::Stats& now) {
  const Rates rates(before, now);
  return absl::StrFormat(
      "sessions %u (%u WebSocket, %u gRPC), %u lagging, %u connections\n"
      "received %.1f/s, delivered %.1f/s, skipped %.1f/s, sent %.2f MiB/s\n"
      "ended %.1f/s, refused %.1f/s, %u topics, memory %.1f of %.0f MiB\n",
      now.websocket_sessions() + now.grpc_sessions(), now.websocket_sessions(), now.grpc_sessions(),
      now.lagging_sessions(), now.connections(),
      rates.Of(before.messages_received(), now.messages_received()),
      rates.Of(before.events_delivered(), now.events_delivered()),
      rates.Of(before.events_skipped(), now.events_skipped()),
      rates.Of(before.bytes_sent(), now.bytes_sent()) / kMiB,
      rates.Of(before.sessions_ended(), now.sessions_ended()),
      rates.Of(before.connections_refused(), now.connections_refused()), now.topics(),
      static_cast<double>(now.memory_bytes()) / kMiB,
      static_cast<double>(now.memory_budget()) / kMiB);
}

std::string OneLine(std::string lines) {
  std::replace(lines.begin(), lines.end(), '\n', ' ');
  lines.back() = '\n';
  return lines;
}

size_t TopicRows() {
  winsize size{};
  constexpr size_t kOtherLines = 7;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row <= kOtherLines) return 10;
  return size.ws_row - kOtherLines;
}

absl::Status Show(client::AdminClient* client, bool once, absl::Duration interval) {
  v1::ServerInfo server;
  absl::Status status = client->Call("GetServerInfo", v1::GetServerInfoRequest(), &server);
  if (!status.ok()) return status;
  const bool screen = ::isatty(STDOUT_FILENO) == 1 && !once;
  v1::WatchStatsRequest request;
  const int64_t milliseconds = absl::ToInt64Milliseconds(interval);
  request.mutable_interval()->set_seconds(milliseconds / 1000);
  request.mutable_interval()->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
  Topics topics;
  v1::Stats before;
  bool first = true;
  absl::Status failed;
  status = client->Call(*client::AdminClient::Find("WatchStats"), request,
                        [&](const google::protobuf::Message& message) {
                          v1::Stats now;
                          now.CopyFrom(message);
                          const v1::Stats last = std::exchange(before, now);
                          if (screen || once) {
                            failed = topics.Look(client);
                            if (!failed.ok()) return false;
                          }
                          if (std::exchange(first, false)) return true;  // rates need two
                          if (screen) {
                            std::cout << "\033[H\033[2J"
                                      << absl::StrFormat("crier %s, %u shards\n", server.version(),
                                                         server.shards())
                                      << Lines(last, now) << "\n"
                                      << topics.Table(TopicRows());
                          } else if (once) {
                            std::cout << Lines(last, now) << topics.Table(10);
                          } else {
                            std::cout << OneLine(Lines(last, now));
                          }
                          std::cout << std::flush;
                          return std::cout.good() && !once;
                        });
  return failed.ok() ? status : failed;
}

}  // namespace

int Top(const std::vector<std::string>& arguments) {
  ConnectFlags flags;
  flags.grpc = std::string(kAdminAddress);
  bool once = false;
  absl::Duration interval = absl::Seconds(1);
  OptionParser parser(
      "crier top [options]",
      "Shows live what a server does: sessions, rates, memory, and its busiest\n"
      "topics. In a terminal the screen is drawn anew each second; elsewhere it is\n"
      "a line per second. Ends with Ctrl-C.\n"
      "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 cannot connect.");
  AddAdminFlags(&flags, &parser);
  parser.Group("Output:");
  parser.Add("once", &once, "show it once, after one interval, and exit");
  parser.Add("interval", &interval, "TIME", "the time between two looks");
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (!positional.empty()) {
    std::cerr << "crier top: unexpected argument \"" << positional[0] << "\"\n";
    return kUsage;
  }
  auto client = ConnectAdmin(flags);
  if (!client.ok()) return Complain("top", client.status());
  const absl::Status status = Show(&*client, once, interval);
  return status.ok() ? kOk : Complain("top", status);
}

}  // namespace crier::cli
