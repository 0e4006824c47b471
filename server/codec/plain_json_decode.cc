#include <array>
#include <cassert>
#include <charconv>
#include <utility>

#include "server/base/concat.h"
#include "server/base/utf8.h"
#include "server/codec/plain_fields.h"
#include "server/codec/plain_json.h"

namespace crier {
namespace {

using Fault = std::optional<std::string>;

enum class Action : uint8_t {
  kDirect,
  kBroadcast,
  kPing,
  kPong,
  kSubscribe,
  kUnsubscribe,
  kPresence,
  kAuth,
};

constexpr std::array<std::string_view, 8> kActionNames = {
    "direct", "broadcast", "ping", "pong", "subscribe", "unsubscribe", "presence", "auth"};
constexpr std::string_view kActionList =
    "direct, broadcast, ping, pong, subscribe, unsubscribe, presence or auth";

std::string_view NameOf(Action action) { return kActionNames[static_cast<size_t>(action)]; }

constexpr char Upper(char lower) { return static_cast<char>(lower - 'a' + 'A'); }

// True for name, NAME and Name. `name` is in lower case.
bool IsSpellingOf(std::string_view text, std::string_view name) {
  if (text.size() != name.size()) return false;
  if (text == name) return true;
  if (text[0] != Upper(name[0])) return false;
  if (text.substr(1) == name.substr(1)) return true;
  for (size_t i = 1; i < name.size(); ++i) {
    if (text[i] != Upper(name[i])) return false;
  }
  return true;
}

std::string WrongKind(PlainKey key, PlainKind kind, std::string_view right) {
  return Concat({"\"", PlainKeyName(key), "\" is ", PlainKindName(kind), "; it has to be ", right});
}

// Refuses values whose type is wrong for their key with every action.
Fault CheckKinds(const PlainFields& fields) {
  static constexpr std::array<PlainKey, 5> kStrings = {
      PlainKey::kActionType, PlainKey::kBody, PlainKey::kTo, PlainKey::kTopic, PlainKey::kId};
  for (PlainKey key : kStrings) {
    const PlainKind kind = fields[key].kind;
    if (kind != PlainKind::kString && kind != PlainKind::kAbsent) {
      return WrongKind(key, kind, "a string");
    }
  }
  switch (const PlainKind kind = fields[PlainKey::kData].kind; kind) {
    case PlainKind::kAbsent:
    case PlainKind::kString:
    case PlainKind::kNull:
      break;
    default:
      return WrongKind(PlainKey::kData, kind, "a string or null");
  }
  switch (const PlainKind kind = fields[PlainKey::kUserId].kind; kind) {
    case PlainKind::kAbsent:
    case PlainKind::kString:
    case PlainKind::kInteger:
    case PlainKind::kNull:
      return std::nullopt;
    case PlainKind::kHugeInteger:
      return WrongKind(PlainKey::kUserId, kind,
                       "between -9223372036854775808 and 18446744073709551615, or a string");
    default:
      return WrongKind(PlainKey::kUserId, kind, "a string, an integer or null");
  }
}

Fault ReadAction(const PlainFields& fields, Action* action) {
  const PlainField& field = fields[PlainKey::kActionType];
  if (field.kind == PlainKind::kAbsent) {
    return Concat({"\"action_type\" is missing; it has to be ", kActionList});
  }
  for (size_t i = 0; i < kActionNames.size(); ++i) {
    if (IsSpellingOf(field.text, kActionNames[i])) {
      *action = static_cast<Action>(i);
      return std::nullopt;
    }
  }
  constexpr size_t kShown = 32;
  const std::string_view shown = Utf8Prefix(field.text, kShown);
  return Concat({"\"action_type\" is \"", shown, shown.size() < field.text.size() ? "..." : "",
                 "\"; it has to be ", kActionList});
}

// Refuses a message that does not have `key`, which `action` needs.
Fault Require(Action action, PlainKey key, const PlainFields& fields) {
  if (fields[key].kind != PlainKind::kAbsent) return std::nullopt;
  return Concat(
      {"\"", PlainKeyName(key), "\" is missing; ", NameOf(action), " has to have one, a string"});
}

// If there is nothing to move, the target is not touched: protobuf would allocate the string.
void Move(PlainField* from, v1::Message* message, std::string* (v1::Message::*target)()) {
  if (!from->text.empty()) *(message->*target)() = std::move(from->text);
}

Fault FillPublish(Action action, PlainFields* fields, v1::Message* message) {
  PlainFields& f = *fields;
  const bool answered_at_once = action == Action::kPing || action == Action::kPong;
  if (!answered_at_once) {
    if (Fault fault = Require(action, PlainKey::kBody, f)) return fault;
    Move(&f[PlainKey::kTo], message, &v1::Message::mutable_to);
    Move(&f[PlainKey::kTopic], message, &v1::Message::mutable_topic);
    if (f[PlainKey::kData].kind == PlainKind::kString) {
      *message->mutable_data() = std::move(f[PlainKey::kData].text);
    }
  }
  Move(&f[PlainKey::kId], message, &v1::Message::mutable_id);
  Move(&f[PlainKey::kUserId], message, &v1::Message::mutable_user_id);
  Move(&f[PlainKey::kBody], message, &v1::Message::mutable_body);
  switch (action) {
    case Action::kDirect:
      message->set_action_type(v1::DIRECT);
      break;
    case Action::kBroadcast:
      message->set_action_type(v1::BROADCAST);
      break;
    case Action::kPing:
      message->set_action_type(v1::PING);
      break;
    default:
      message->set_action_type(v1::PONG);
  }
  return std::nullopt;
}

// The value of a whole number that is not negative. REQUIRES: the key is present.
Fault ReadNumber(const PlainFields& fields, PlainKey key, uint64_t* value) {
  constexpr std::string_view kRight = "an integer between 0 and 18446744073709551615";
  const PlainField& field = fields[key];
  if (field.kind != PlainKind::kInteger) return WrongKind(key, field.kind, kRight);
  if (field.text[0] == '-') {
    return Concat({"\"", PlainKeyName(key), "\" is negative; it has to be ", kRight});
  }
  std::from_chars(field.text.data(), field.text.data() + field.text.size(), *value);
  return std::nullopt;
}

Fault FillResume(const PlainFields& fields, v1::Subscribe* subscribe) {
  const bool has_epoch = fields[PlainKey::kEpoch].kind != PlainKind::kAbsent;
  const bool has_offset = fields[PlainKey::kOffset].kind != PlainKind::kAbsent;
  if (!has_epoch && !has_offset) return std::nullopt;
  if (has_epoch != has_offset) {
    const PlainKey missing = has_epoch ? PlainKey::kOffset : PlainKey::kEpoch;
    return Concat({"\"", PlainKeyName(missing),
                   "\" is missing; to resume takes both \"epoch\" and \"offset\""});
  }
  uint64_t epoch = 0;
  uint64_t offset = 0;
  if (Fault fault = ReadNumber(fields, PlainKey::kEpoch, &epoch)) return fault;
  if (Fault fault = ReadNumber(fields, PlainKey::kOffset, &offset)) return fault;
  v1::ResumePoint* resume = subscribe->mutable_resume();
  resume->set_topic(fields[PlainKey::kTopic].text);
  resume->set_epoch(epoch);
  resume->set_offset(offset);
  return std::nullopt;
}

Fault FillPresence(const PlainFields& fields, v1::Subscribe* subscribe) {
  switch (const PlainKind kind = fields[PlainKey::kPresence].kind; kind) {
    case PlainKind::kAbsent:
    case PlainKind::kFalse:
      return std::nullopt;
    case PlainKind::kTrue:
      subscribe->set_presence(true);
      return std::nullopt;
    default:
      return WrongKind(PlainKey::kPresence, kind, "true or false");
  }
}

// For the frames that have a topic and an id.
template <typename Frame>
Fault FillTopic(Action action, PlainFields* fields, Frame* frame, bool may_be_absent = false) {
  PlainFields& f = *fields;
  if (!may_be_absent) {
    if (Fault fault = Require(action, PlainKey::kTopic, f)) return fault;
  }
  *frame->mutable_topic() = std::move(f[PlainKey::kTopic].text);
  *frame->mutable_id() = std::move(f[PlainKey::kId].text);
  return std::nullopt;
}

Fault FillAuth(PlainFields* fields, v1::Auth* auth) {
  PlainFields& f = *fields;
  if (Fault fault = Require(Action::kAuth, PlainKey::kBody, f)) return fault;
  *auth->mutable_token() = std::move(f[PlainKey::kBody].text);
  *auth->mutable_id() = std::move(f[PlainKey::kId].text);
  return std::nullopt;
}

void MoveUser(PlainFields* fields, v1::ClientFrame* frame) {
  std::string& user = (*fields)[PlainKey::kUserId].text;
  if (!user.empty()) *frame->mutable_user_id() = std::move(user);
}

// Moves the message's values into *frame. After an error, the id is still among the fields.
Fault Fill(PlainFields* fields, v1::ClientFrame* frame) {
  if (Fault fault = CheckKinds(*fields)) return fault;
  Action action = Action::kDirect;
  if (Fault fault = ReadAction(*fields, &action)) return fault;
  switch (action) {
    case Action::kSubscribe:
      MoveUser(fields, frame);
      if (Fault fault = FillResume(*fields, frame->mutable_subscribe())) return fault;
      if (Fault fault = FillPresence(*fields, frame->mutable_subscribe())) return fault;
      // A resume point without a topic is of the one that everyone follows.
      return FillTopic(action, fields, frame->mutable_subscribe(),
                       /*may_be_absent=*/frame->subscribe().has_resume());
    case Action::kUnsubscribe:
      MoveUser(fields, frame);
      return FillTopic(action, fields, frame->mutable_unsubscribe());
    case Action::kPresence:
      MoveUser(fields, frame);
      return FillTopic(action, fields, frame->mutable_presence());
    case Action::kAuth:
      return FillAuth(fields, frame->mutable_auth());
    default:
      return FillPublish(action, fields, frame->mutable_publish());
  }
}

}  // namespace

std::optional<DecodeError> DecodePlainJson(std::string_view text, v1::ClientFrame* frame) {
  assert(frame->frame_case() == v1::ClientFrame::FRAME_NOT_SET);
  PlainFields fields;
  std::optional<DecodeError> error = ReadPlainFields(text, &fields);
  if (!error) {
    Fault fault = Fill(&fields, frame);
    if (!fault) return std::nullopt;
    error = DecodeError{Outcome::kInvalidMessage, std::move(*fault), {}};
  }
  if (PlainField& id = fields[PlainKey::kId]; id.kind == PlainKind::kString) {
    error->id = std::move(id.text);
  }
  return error;
}

}  // namespace crier
