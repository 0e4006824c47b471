#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "client/admin_client.h"
#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/option_parser.h"
#include "client/cli/top_nodes.h"
#include "crier/v1/admin.pb.h"

namespace crier::cli {
namespace {

constexpr double kMiB = 1 << 20;
constexpr size_t kNameWidth = 40;
// Where there is no terminal.
constexpr size_t kTopicRows = 10;
constexpr size_t kNodeRows = 20;

std::string Shown(std::string_view name) {
  if (name.empty()) return "(the common topic)";
  std::string shown;
  for (const char c : name.substr(0, kNameWidth)) {
    shown += absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? '?' : c;
  }
  return shown;
}

// The topics that most happens in.
class Topics {
 public:
  // Looks at the first ones only: a server may have a million. `node`: as in the request.
  absl::Status Look(client::AdminClient* client, const std::string& node) {
    std::vector<v1::TopicInfo> rows;
    v1::ListTopicsRequest request;
    request.set_node(node);
    const absl::Time end = absl::Now() + kPatience;
    do {
      v1::ListTopicsResponse page;
      request.set_page_size(static_cast<uint32_t>(kMostTopics - rows.size()));
      const absl::Status status = client->Call("ListTopics", request, &page);
      if (!status.ok()) return status;
      rows.insert(rows.end(), page.topics().begin(), page.topics().end());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty() && rows.size() < kMostTopics && absl::Now() < end);
    more_ = !request.page_token().empty();
    rows_ = std::move(rows);
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
    if (more_) absl::StrAppendFormat(&table, "(of %u topics; there are more)\n", rows_.size());
    return table;
  }

 private:
  static constexpr size_t kMostTopics = 500;
  // For the pages of several nodes.
  static constexpr absl::Duration kPatience = absl::Seconds(1);

  std::vector<v1::TopicInfo> rows_;
  bool more_ = false;
};

std::string OneLine(std::string lines) {
  std::replace(lines.begin(), lines.end(), '\n', ' ');
  lines.back() = '\n';
  return lines;
}

// Lines of the terminal for tables.
size_t RoomForTables() {
  winsize size{};
  constexpr size_t kOtherLines = 7;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row <= kOtherLines) {
    return kTopicRows;
  }
  return size.ws_row - kOtherLines;
}

// What was seen with the last look.
class Picture {
 public:
  Picture(client::AdminClient* client, v1::ServerInfo server)
      : client_(*client), server_(std::move(server)) {}

  // `stats`: what the server that is asked has just said.
  absl::Status Look(const v1::Stats& stats, bool topics_too) {
    if (IsCluster()) {
      const absl::Status status = nodes_.Look(&client_);
      if (!status.ok()) return status;
      sum_ = nodes_.Sum();
    } else {
      sum_ = NumbersOf(std::exchange(last_, stats), stats);
    }
    if (!topics_too) return absl::OkStatus();
    const absl::Status status = topics_.Look(&client_, nodes_.scope());
    // Redis, or a node, has gone since. If the server itself has, the next look says it.
    if (IsCluster() && absl::IsUnavailable(status)) return absl::OkStatus();
    return status;
  }

  std::string Screen() const {
    std::string screen =
        IsCluster() ? absl::StrFormat("crier %s, %s\n", server_.version(), Nodes())
                    : absl::StrFormat("crier %s, %u shards\n", server_.version(), server_.shards());
    screen += Lines() + "\n";
    const size_t room = RoomForTables();
    // Half of it for the nodes, where there are so many.
    const size_t nodes = IsCluster() ? std::max<size_t>(1, room / 2) : 0;
    if (nodes > 0) screen += nodes_.Table(nodes);
    const size_t used = nodes > 0 ? nodes_.TableLines(nodes) : 0;
    return screen + topics_.Table(room > used ? room - used : 1);
  }
  std::string Once() const {
    if (!IsCluster()) return Lines() + topics_.Table(kTopicRows);
    return Nodes() + "\n" + Lines() + "\n" + nodes_.Table(kNodeRows) + topics_.Table(kTopicRows);
  }
  std::string Line() const { return OneLine(IsCluster() ? Nodes() + ", " + Lines() : Lines()); }

 private:
  bool IsCluster() const { return !server_.node().empty(); }

  std::string Nodes() const {
    return absl::StrFormat("%u node%s%s", nodes_.count(), nodes_.count() == 1 ? "" : "s",
                           nodes_.Trouble());
  }

  std::string Lines() const {
    // A topic is on several nodes, so there is no sum of topics.
    const std::string topics = IsCluster() ? "" : absl::StrFormat("%u topics, ", sum_.topics);
    return absl::StrFormat(
        "sessions %u (%u WebSocket, %u gRPC), %u lagging, %u connections\n"
        "received %.1f/s, delivered %.1f/s, skipped %.1f/s, sent %.2f MiB/s\n"
        "ended %.1f/s, refused %.1f/s, %smemory %.1f of %.0f MiB\n",
        sum_.sessions(), sum_.websocket_sessions, sum_.grpc_sessions, sum_.lagging_sessions,
        sum_.connections, sum_.received, sum_.delivered, sum_.skipped, sum_.bytes_sent / kMiB,
        sum_.ended, sum_.refused, topics, static_cast<double>(sum_.memory_bytes) / kMiB,
        static_cast<double>(sum_.memory_budget) / kMiB);
  }

  client::AdminClient& client_;
  const v1::ServerInfo server_;
  TopNodes nodes_;
  Topics topics_;
  v1::Stats last_;
  Numbers sum_;
};

absl::Status Show(client::AdminClient* client, bool once, absl::Duration interval) {
  v1::ServerInfo server;
  absl::Status status = client->Call("GetServerInfo", v1::GetServerInfoRequest(), &server);
  if (!status.ok()) return status;
  const bool screen = ::isatty(STDOUT_FILENO) == 1 && !once;
  v1::WatchStatsRequest request;
  const int64_t milliseconds = absl::ToInt64Milliseconds(interval);
  request.mutable_interval()->set_seconds(milliseconds / 1000);
  request.mutable_interval()->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
  Picture picture(client, std::move(server));
  bool first = true;
  absl::Status failed;
  status = client->Call(*client::AdminClient::Find("WatchStats"), request,
                        [&](const google::protobuf::Message& message) {
                          v1::Stats now;
                          now.CopyFrom(message);
                          failed = picture.Look(now, screen || once);
                          if (!failed.ok()) return false;
                          if (std::exchange(first, false)) return true;  // rates need two
                          if (screen) {
                            std::cout << "\033[H\033[2J" << picture.Screen();
                          } else {
                            std::cout << (once ? picture.Once() : picture.Line());
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
  OptionParser parser("crier top [options]",
                      "Shows live what a server does: sessions, rates, memory, and its busiest\n"
                      "topics. Of a cluster it shows the sums over all nodes, and each node. In a\n"
                      "terminal the screen is drawn anew each second; elsewhere it is a line per\n"
                      "second. Ends with Ctrl-C.\n"
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
