#include "client/cli/print_event.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/text.h"

namespace crier::cli {
namespace {

std::string Printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (absl::ascii_iscntrl(c)) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string TopicName(std::string_view topic) {
  return topic.empty() ? "the common topic" : Concat("topic ", Printable(topic));
}

std::string From(std::string_view user) {
  return user.empty() ? "" : Concat(" from ", Printable(user));
}

std::string MessageLine(const v1::Message& message) {
  std::string line;
  switch (message.action_type()) {
    case v1::BROADCAST:
      line = Concat("broadcast ", message.offset(), " on ", TopicName(message.topic()));
      break;
    case v1::DIRECT:
      line = "direct";
      break;
    case v1::PING:
      line = "ping";
      break;
    default:
      line = "pong";
  }
  AppendTo(&line, From(message.user_id()), ": ", Printable(message.body()));
  return line;
}

// "1 session", "2 sessions".
std::string Counted(uint64_t count, std::string_view what) {
  return Concat(count, " ", what, count == 1 ? "" : "s");
}

// "2 came: ada, bob", or of a crowd the number only.
std::string Names(uint64_t count, std::string_view did,
                  const google::protobuf::RepeatedPtrField<std::string>& users) {
  std::string names = Concat(count, " ", did);
  if (!users.empty()) AppendTo(&names, ": ", Printable(absl::StrJoin(users, ", ")));
  return names;
}

std::string ChangeLine(const v1::PresenceChange& change) {
  std::string line = Concat("presence on ", TopicName(change.topic()), ": ");
  if (change.joined_count() > 0) {
    AppendTo(&line, Names(change.joined_count(), "came", change.joined()), "; ");
  }
  if (change.left_count() > 0) {
    AppendTo(&line, Names(change.left_count(), "went", change.left()), "; ");
  }
  AppendTo(&line, "now ", Counted(change.sessions(), "session"), " of ",
           Counted(change.user_count(), "user"));
  return line;
}

}  // namespace

std::string EventLine(const v1::Event& event) {
  switch (event.event_case()) {
    case v1::Event::kWelcome:
      return Concat("welcome to ", Printable(event.welcome().server()), ", session ",
                    Printable(event.welcome().session_id()));
    case v1::Event::kMessage:
      return MessageLine(event.message());
    case v1::Event::kAck:
      return Concat("ack ", Printable(event.ack().id()), ": offset ", event.ack().offset(), " on ",
                    TopicName(event.ack().topic()), ", ", event.ack().recipients(), " recipients",
                    event.ack().duplicate() ? ", a duplicate" : "");
    case v1::Event::kError:
      return Concat("error ", event.error().outcome(), ": ", Printable(event.error().message()));
    case v1::Event::kGap:
      return Concat("gap: ", event.gap().first(), " to ", event.gap().last(), " of ",
                    event.gap().mailbox() ? "the mailbox" : TopicName(event.gap().topic()),
                    event.gap().presence() ? ", of its changes of presence," : "", " are missing, ",
                    v1::GapReason_Name(event.gap().reason()));
    case v1::Event::kPresence:
      return Concat(Counted(event.presence().sessions(), "session"),
                    event.presence().sessions() == 1 ? " follows " : " follow ",
                    TopicName(event.presence().topic()), ": ",
                    Printable(absl::StrJoin(event.presence().users(), ", ")));
    case v1::Event::kPresenceChange:
      return ChangeLine(event.presence_change());
    case v1::Event::kDrain:
      return "the server is about to stop";
    case v1::Event::kPong:
      return "pong";
    case v1::Event::EVENT_NOT_SET:
      break;
  }
  return "an event of a kind that this version does not know";
}

std::string EventJson(const v1::Event& event) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  // It fails for messages that hold an Any of an unknown type; an event holds none.
  const auto status = google::protobuf::util::MessageToJsonString(event, &json, options);
  return status.ok() ? json : "{}";
}

}  // namespace crier::cli
