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

// Its own session gets the message too: it follows the common topic, and a direct message goes to
// all sessions of its user.
bool CountsItself(const SendOptions& options) {
  return options.to.empty() ? options.topic.empty() : options.to == options.connect.user;
}

// The server counts a session among the common topic's followers a moment after it has begun, and
// then for certain when it has answered a subscribe of that topic.
absl::Status WaitUntilCounted(client::Client* client, absl::Time deadline) {
  v1::ClientFrame question;
  question.mutable_subscribe()->set_id(NewId());
  if (absl::Status status = client->Send(question); !status.ok()) return status;
  while (true) {
    const absl::StatusOr<v1::Event> event = client->Receive(deadline);
    if (!event.ok()) return event.status();
    // A refusal: the message may still be taken.
    if (event->has_ack() || event->has_error()) return absl::OkStatus();
  }
}

// Prints the answer to the message `id`; -1 where the event is another.
int Answer(const v1::Event& event, const SendOptions& options) {
  const bool ack = event.has_ack() && event.ack().id() == options.id;
  // The error for a frame that could not be read has no id.
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
    std::cout << " to " << done.recipients()
              << (done.recipients() == 1 ? " recipient" : " recipients");
    if (done.duplicate()) {
      std::cout << " the first time; now it was a duplicate";
    } else if (CountsItself(options) && done.recipients() > 0) {
      std::cout << ", itself included";
    }
    std::cout << "\n";
  }
  return error ? kRefused : kOk;
}

}  // namespace

int Send(const std::vector<std::string>& arguments) {
  SendOptions options;
  OptionParser parser(
      "crier send [options] BODY",
      "Sends one message, and prints how many recipients it had: sessions that follow its\n"
      "topic, or the user's. A cluster counts nodes that have such sessions instead.\n"
      "Exit codes: 0 sent, 1 refused, 2 wrong usage, 3 cannot connect.");
  AddConnectFlags(&options.connect, &parser);
  parser.Group("Message:");
  parser.Add("to", &options.to, "USER",
             "send to all sessions of this user; without it, the message is a broadcast");
  parser.Add("topic", &options.topic, "TOPIC",
             "broadcast to this topic; without it, to the common topic, which every session "
             "follows");
  parser.Add("id", &options.id, "ID",
             "identifies the message: if it is sent again within 5 minutes, it is not published "
             "again. The server remembers it for the user, so --user is needed");
  parser.Add("json", &options.json, "print the answer as JSON");
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (positional.size() != 1) {
    std::cerr << "crier send: exactly one BODY is needed, but " << positional.size()
              << " were given; put quotes around a text with spaces\n";
    return kUsage;
  }
  if (!options.to.empty() && !options.topic.empty()) {
    std::cerr << "crier send: --to sends to one user and --topic to all followers of a topic; give "
                 "only one of them\n";
    return kUsage;
  }
  if (!options.id.empty() && options.connect.user.empty()) {
    std::cerr << "crier send: --id needs --user: the server remembers an id only for a user\n";
    return kUsage;
  }
  if (options.id.empty()) options.id = NewId();

  absl::StatusOr<std::unique_ptr<client::Client>> client = Connect(options.connect);
  if (!client.ok()) return Complain("send", client.status());
  const absl::Time deadline = absl::Now() + options.connect.timeout;
  if (CountsItself(options)) {
    if (absl::Status status = WaitUntilCounted(client->get(), deadline); !status.ok()) {
      return Complain("send", status);
    }
  }
  if (absl::Status status = (*client)->Send(PublishFrame(options, positional[0])); !status.ok()) {
    return Complain("send", status);
  }
  int answer = -1;
  while (answer < 0) {
    absl::StatusOr<v1::Event> event = (*client)->Receive(deadline);
    if (!event.ok()) {
      if (absl::IsDeadlineExceeded(event.status())) {
        return Complain("send", absl::DeadlineExceededError(
                                    "the message was sent, but no answer came in time"));
      }
      return Complain("send", event.status());
    }
    answer = Answer(*event, options);
  }
  (*client)->Close();
  return answer;
}

}  // namespace crier::cli
