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

  void OptionalString(std::string_view key, std::string_view text) {
    if (!text.empty()) Key(key).String(text);
  }
  void OptionalNumber(std::string_view key, uint64_t number) {
    if (number != 0) Key(key).Number(number);
  }
  // The keys that say where a message stands, as far as they apply.
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

// Empty where the dialect has no word for it.
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

void AppendError(const v1::Error& error, std::string* out) {
  Writer writer(error.user_id(), "error", out);
  writer.Key("body").String(error.message());
  writer.Key("data").String(error.outcome());
  writer.OptionalString("id", error.id());
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
    // The empty topic too is named: without it this would be the mailbox's gap.
    writer.Key("topic").String(gap.topic());
    writer.Key("epoch").Number(gap.epoch());
  }
  writer.End();
}

void AppendPresence(const v1::Presence& presence, std::string* out) {
  Writer writer({}, "presence", out);
  writer.Key("body").DecimalString(presence.sessions());
  writer.Key("data").Null();
  writer.OptionalString("topic", presence.topic());
  writer.OptionalString("id", presence.id());
  writer.Key("users");
  char before = '[';
  for (const std::string& user : presence.users()) {
    out->push_back(before);
    writer.String(user);
    before = ',';
  }
  out->append(before == '[' ? "[]" : "]");
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
    // A greeting, a farewell and the answer to a question that this dialect cannot ask.
    case v1::Event::kWelcome:
    case v1::Event::kDrain:
    case v1::Event::kPong:
    case v1::Event::EVENT_NOT_SET:
      return;
  }
}

}  // namespace crier
