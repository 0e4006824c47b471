#include <atomic>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/option_parser.h"
#include "client/cli/print_event.h"

namespace crier::cli {
namespace {

std::atomic<bool> stop_wanted{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // It is set by a signal handler.

void StopOnSignal(int signal) {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop_wanted = true; };
  sigaction(signal, &action, nullptr);
}

struct ListenOptions {
  ConnectFlags connect;
  std::string topics;
  bool presence = false;
  uint64_t count = 0;
  bool json = false;
};

// Prints events until enough have come. Returns the exit code.
int Follow(const ListenOptions& options, client::Client* client) {
  uint64_t printed = 0;
  while (!stop_wanted && (options.count == 0 || printed < options.count)) {
    // Short, so that a signal is noticed.
    absl::StatusOr<v1::Event> event = client->Receive(absl::Now() + absl::Milliseconds(200));
    if (absl::IsDeadlineExceeded(event.status())) continue;
    if (!event.ok()) return Complain("listen", event.status());
    std::cout << (options.json ? EventJson(*event) : EventLine(*event)) << std::endl;
    // A greeting does not count as an event.
    if (!event->has_welcome()) ++printed;
  }
  return kOk;
}

}  // namespace

int Listen(const std::vector<std::string>& arguments) {
  ListenOptions options;
  OptionParser parser("crier listen [options]",
                      "Prints what a session receives, one event per line. Ctrl-C ends it.\n"
                      "Exit codes: 0 done, 2 wrong usage, 3 cannot connect, or the session was "
                      "lost.");
  AddConnectFlags(&options.connect, &parser);
  parser.Group("Events:");
  parser.Add("topic", &options.topics, "TOPIC,...",
             "topics to follow besides the common topic, which every session follows");
  parser.Add("presence", &options.presence,
             "print who follows these topics, who comes and who goes; without --topic, of the "
             "common topic");
  parser.Add("count", &options.count, "N", "stop after this many events; 0: do not stop");
  parser.Add("json", &options.json, "print each event as one line of JSON");
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (!positional.empty()) {
    std::cerr << "crier listen: unexpected argument \"" << positional[0] << "\"\n";
    return kUsage;
  }

  absl::StatusOr<std::unique_ptr<client::Client>> client = Connect(options.connect);
  if (!client.ok()) return Complain("listen", client.status());
  std::vector<std::string> topics = absl::StrSplit(options.topics, ',', absl::SkipEmpty());
  if (topics.empty() && options.presence) topics.emplace_back();
  for (const std::string& topic : topics) {
    v1::ClientFrame frame;
    frame.mutable_subscribe()->set_topic(topic);
    frame.mutable_subscribe()->set_presence(options.presence);
    if (absl::Status status = (*client)->Send(frame); !status.ok()) {
      return Complain("listen", status);
    }
  }
  StopOnSignal(SIGINT);
  StopOnSignal(SIGTERM);
  exit_code = Follow(options, client->get());
  (*client)->Close();
  return exit_code;
}

}  // namespace crier::cli
