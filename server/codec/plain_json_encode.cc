#include <google/protobuf/duration.pb.h>

#include "server/base/outcome.h"
#include "server/codec/json_text.h"
#include "server/codec/plain_json.h"

namespace crier {
namespace {

// One message of the dialect, key after key. The four keys that every message has come first.
class Writer {
 public:
  Writer(std::string_view user_id, std::string_view action, std::string* out) : out_(*out) {
    out_.append("{\"user_id\":");
    StringOrNull(user_id);
    out_.append(",\"action_type\":\"").append(action).append("\"");
  }

  Writer& Key(std::string_view key) {
    out_.append(",\"").append(key).append("\":");
    return *this;
  }
  void Null() { out_.append("null"); }
  void String(std::string_view text) { AppendJsonString(text, &out_); }
  void StringOrNull(std::string_view text) { text.empty() ? Null() : String(text); }
  // A number that is written as a string, because JavaScript's numbers would round it.
  template <typename T>
  void DecimalString(T number) {
    out_.push_back('"');
    AppendDecimal(number, &out_);
    out_.push_back('"');
  }
  void Number(uint64_t number) { AppendDecimal(number, &out_); }
  void Strings(const google::protobuf::RepeatedPtrField<std::string>& strings) {
    char before = '[';
    for (const std::string& string : strings) {
      out_.push_back(before);
      String(string);
      before = ',';
    }
    out_.append(before == '[' ? "[]" : "]");
  }

  void OptionalString(std::string_view key, std::string_view text) {
    if (!text.empty()) Key(key).String(text);
  }
  void OptionalNumber(std::string_view key, uint64_t number) {
    if (number != 0) Key(key).Number(number);
  }
  // The keys for a message's place in the log, if they apply.
  void Place(std::string_view topic, uint64_t offset, uint64_t epoch, std::string_view id) {
    OptionalString("topic", topic);
    OptionalNumber("offset", offset);
    OptionalNumber("epoch", epoch);
    OptionalString("id", id);
  }

  void End() { out_.push_back('}'); }

 private:
  std::string& out_;
};

// Empty if the dialect has no word for it.
std::string_view ActionName(v1::ActionType action) {
  switch (action) {
    case v1::DIRECT:
      return "direct";
    case v1::BROADCAST:
      return "broadcast";
    case v1::PING:
      return "ping";
    case v1::PONG:
      return "pong";
    default:
      return {};
  }
}

void AppendMessage(const v1::Message& message, std::string_view server_name, std::string* out) {
  const std::string_view action = ActionName(message.action_type());
  if (action.empty()) return;
  Writer writer(message.user_id(), action, out);
  switch (message.action_type()) {
    case v1::DIRECT:
      writer.Key("body").String(message.body());
      writer.Key("data").DecimalString(message.received_at());
      break;
    case v1::BROADCAST:
      writer.Key("body").String(message.body());
      writer.Key("data").String(message.has_data() ? std::string_view(message.data())
                                                   : server_name);
      break;
    default:
      writer.Key("body").StringOrNull(message.body());
      writer.Key("data").StringOrNull(message.data());
  }
  writer.Place(message.topic(), message.offset(), message.epoch(), message.id());
  writer.End();
}

void AppendAck(const v1::Ack& ack, std::string* out) {
  Writer writer(ack.user_id(), "ack", out);
  writer.Key("body").Null();
  writer.Key("data").StringOrNull(ack.duplicate() ? "duplicate" : "");
  writer.Place(ack.topic(), ack.offset(), ack.epoch(), ack.id());
  writer.OptionalNumber("recipients", ack.recipients());
  writer.End();
}

uint64_t MillisecondsOf(const google::protobuf::Duration& duration) {
  return static_cast<uint64_t>(duration.seconds() * 1000 + duration.nanos() / 1'000'000);
}

void AppendError(const v1::Error& error, std::string* out) {
  Writer writer(error.user_id(), "error", out);
  writer.Key("body").String(error.message());
  writer.Key("data").String(error.outcome());
  writer.OptionalString("id", error.id());
  writer.OptionalString("advice", error.advice());
  if (error.has_retry_after()) {
    writer.Key("retry_after_ms").Number(MillisecondsOf(error.retry_after()));
  }
  writer.End();
}

void AppendGap(const v1::Gap& gap, std::string* out) {
  Writer writer({}, "gap", out);
  writer.Key("body");
  out->push_back('"');
  AppendDecimal(gap.first(), out);
  out->push_back('-');
  AppendDecimal(gap.last(), out);
  out->push_back('"');
  writer.Key("data").String(v1::GapReason_Name(gap.reason()));
  if (!gap.mailbox()) {
    // The empty topic is named too: without a topic, this would be a gap in the mailbox.
    writer.Key("topic").String(gap.topic());
    writer.Key("epoch").Number(gap.epoch());
  }
  if (gap.presence()) {
    writer.Key("presence");
    out->append("true");
  }
  writer.End();
}

void AppendPresence(const v1::Presence& presence, std::string* out) {
  Writer writer({}, "presence", out);
  writer.Key("body").DecimalString(presence.sessions());
  writer.Key("data").Null();
  writer.OptionalString("topic", presence.topic());
  writer.OptionalString("id", presence.id());
  writer.Key("users").Strings(presence.users());
  if (presence.version() != 0) {
    writer.Key("user_count").Number(presence.user_count());
    writer.Key("version").Number(presence.version());
  }
  writer.End();
}

void AppendPresenceChange(const v1::PresenceChange& change, std::string* out) {
  Writer writer({}, "presence_change", out);
  writer.Key("body").DecimalString(change.sessions());
  writer.Key("data").Null();
  writer.OptionalString("topic", change.topic());
  writer.Key("joined").Strings(change.joined());
  writer.Key("left").Strings(change.left());
  writer.Key("joined_count").Number(change.joined_count());
  writer.Key("left_count").Number(change.left_count());
  writer.Key("user_count").Number(change.user_count());
  writer.Key("version").Number(change.version());
  writer.End();
}

// A farewell: when to come back.
void AppendDrain(const v1::Drain& drain, std::string* out) {
  Writer writer({}, "drain", out);
  writer.Key("body").DecimalString(MillisecondsOf(drain.reconnect_after()));
  writer.Key("data").String(Info(Outcome::kShutdown).name);
  writer.End();
}

}  // namespace

void AppendPlainJson(const v1::Event& event, std::string_view server_name, std::string* out) {
  switch (event.event_case()) {
    case v1::Event::kMessage:
      return AppendMessage(event.message(), server_name, out);
    case v1::Event::kAck:
      return AppendAck(event.ack(), out);
    case v1::Event::kError:
      return AppendError(event.error(), out);
    case v1::Event::kGap:
      return AppendGap(event.gap(), out);
    case v1::Event::kPresence:
      return AppendPresence(event.presence(), out);
    case v1::Event::kPresenceChange:
      return AppendPresenceChange(event.presence_change(), out);
    case v1::Event::kDrain:
      return AppendDrain(event.drain(), out);
    // A greeting, and the answer to a question that this dialect cannot ask.
    case v1::Event::kWelcome:
    case v1::Event::kPong:
    case v1::Event::EVENT_NOT_SET:
      return;
  }
}

}  // namespace crier
