#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/option_parser.h"
#include "client/cli/print_event.h"
#include "client/text.h"

namespace crier::cli {
namespace {

struct SendOptions {
  ConnectFlags connect;
  std::string to;
  std::string topic;
  std::string id;
  bool json = false;
};

std::string NewId() {
  std::random_device random;
  return Concat("crier-", absl::Hex(random()), absl::Hex(random()));
}

v1::ClientFrame PublishFrame(const SendOptions& options, const std::string& body) {
  v1::ClientFrame frame;
  v1::Message* message = frame.mutable_publish();
  message->set_id(options.id);
  message->set_user_id(options.connect.user);
  message->set_action_type(options.to.empty() ? v1::BROADCAST : v1::DIRECT);
  message->set_to(options.to);
  message->set_topic(options.topic);
  message->set_body(body);
  return frame;
}

// Prints the answer to the message `id`; -1 where the event is another.
int Answer(const v1::Event& event, const SendOptions& options) {
  const bool ack = event.has_ack() && event.ack().id() == options.id;
  // A frame that could not even be read is refused without its id.
  const bool error =
      event.has_error() && (event.error().id() == options.id || event.error().id().empty());
  if (!ack && !error) return -1;
  if (options.json) {
    std::cout << EventJson(event) << "\n";
  } else if (error) {
    std::cerr << "crier send: refused, " << event.error().outcome() << ": "
              << event.error().message() << "\n";
  } else {
    const v1::Ack& done = event.ack();
    std::cout << "sent";
    if (options.to.empty()) std::cout << " as offset " << done.offset();
    std::cout << " to " << done.recipients() << (done.recipients() == 1 ? " session" : " sessions")
              << (done.duplicate() ? " (before: a duplicate)" : "") << "\n";
  }
  return error ? kRefused : kOk;
}

}  // namespace

int Send(const std::vector<std::string>& arguments) {
  SendOptions options;
  OptionParser parser("crier send [options] BODY",
                      "Sends one message and says what became of it.\n"
                      "Exit codes: 0 sent, 1 refused, 2 usage, 3 cannot connect.");
  AddConnectFlags(&options.connect, &parser);
  parser.Group("Message:");
  parser.Add("to", &options.to, "USER", "directly to a user; without it, a broadcast");
  parser.Add("topic", &options.topic, "TOPIC",
             "the broadcast's topic; without it, the one everybody follows");
  parser.Add("id", &options.id, "ID",
             "the message's own name: sent twice within minutes, it is published once "
             "(needs --user); else one is made up");
  parser.Add("json", &options.json, "print the answer as JSON");
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (positional.size() != 1) {
    std::cerr << "crier send: one BODY is needed, " << positional.size()
              << " were given; quote it where it has spaces\n";
    return kUsage;
  }
  if (!options.to.empty() && !options.topic.empty()) {
    std::cerr << "crier send: --to is for one user and --topic for all followers: give one\n";
    return kUsage;
  }
  if (options.id.empty()) options.id = NewId();

  absl::StatusOr<std::unique_ptr<client::Client>> client = Connect(options.connect);
  if (!client.ok()) return Complain("send", client.status());
  if (absl::Status status = (*client)->Send(PublishFrame(options, positional[0])); !status.ok()) {
    return Complain("send", status);
  }
  const absl::Time deadline = absl::Now() + options.connect.timeout;
  int answer = -1;
  while (answer < 0) {
    absl::StatusOr<v1::Event> event = (*client)->Receive(deadline);
    if (!event.ok()) {
      if (absl::IsDeadlineExceeded(event.status())) {
        return Complain("send", absl::DeadlineExceededError("sent, but no answer came"));
      }
      return Complain("send", event.status());
    }
    answer = Answer(*event, options);
  }
  (*client)->Close();
  return answer;
}

}  // namespace crier::cli
