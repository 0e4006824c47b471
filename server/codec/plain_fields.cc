#include "server/codec/plain_fields.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <charconv>
#include <limits>

#include "server/base/concat.h"
#include "server/base/utf8.h"
#include "server/codec/json_text.h"
#include "server/codec/plain_json.h"

namespace crier {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, kPlainKeyCount> kKeyNames = {
    "action_type", "body", "user_id", "data", "to", "topic", "id", "epoch", "offset", "presence"};
constexpr size_t kLongestKey = 11;

// The handler that Boost.JSON's parser calls (boost/json/basic_parser.hpp has the requirements).
// Keeps the values of known keys of the outermost object and ignores the rest.
class Handler {
 public:
  static constexpr size_t max_object_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_array_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_key_size = std::numeric_limits<size_t>::max();
  static constexpr size_t max_string_size = std::numeric_limits<size_t>::max();
  using Error = json::error_code;

  explicit Handler(PlainFields* fields) : fields_(fields) {}

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }

  bool on_object_begin(Error&) { return Open(PlainKind::kObject); }
  bool on_object_end(size_t, Error&) { return Shut(); }
  bool on_array_begin(Error&) { return Open(PlainKind::kArray); }
  bool on_array_end(size_t, Error&) { return Shut(); }

  bool on_key_part(json::string_view part, size_t total, Error&) {
    if (depth_ == 1) AddToKey(part, total);
    return true;
  }
  bool on_key(json::string_view part, size_t total, Error&) {
    if (depth_ != 1) return true;
    if (part.size() == total) {
      field_ = Find({part.data(), part.size()});
    } else {
      AddToKey(part, total);
      field_ = total <= kLongestKey ? Find({key_.data(), total}) : nullptr;
    }
    return true;
  }

  bool on_string_part(json::string_view part, size_t total, Error&) {
    AddToString(part, total);
    return true;
  }
  bool on_string(json::string_view part, size_t total, Error&) {
    AddToString(part, total);
    return Keep(PlainKind::kString);
  }

  bool on_number_part(json::string_view, Error&) { return true; }
  bool on_int64(int64_t number, json::string_view, Error&) { return KeepInteger(number); }
  bool on_uint64(uint64_t number, json::string_view, Error&) { return KeepInteger(number); }
  bool on_double(double, json::string_view text, Error&) {
    const bool whole = text.find_first_of(".eE") == json::string_view::npos;
    return Keep(whole ? PlainKind::kHugeInteger : PlainKind::kFractional);
  }
  bool on_bool(bool value, Error&) { return Keep(value ? PlainKind::kTrue : PlainKind::kFalse); }
  bool on_null(Error&) { return Keep(PlainKind::kNull); }

  bool on_comment_part(json::string_view, Error&) { return true; }
  bool on_comment(json::string_view, Error&) { return true; }

 private:
  bool Open(PlainKind kind) {
    if (depth_ == 1) Keep(kind);
    ++depth_;
    return true;
  }
  bool Shut() {
    --depth_;
    return true;
  }
  bool Keep(PlainKind kind) {
    if (depth_ != 1 || field_ == nullptr) return true;
    field_->kind = kind;
    // The key may have come before.
    if (kind != PlainKind::kString) field_->text.clear();
    return true;
  }
  template <typename T>
  bool KeepInteger(T number) {
    Keep(PlainKind::kInteger);
    if (depth_ == 1 && field_ != nullptr) AppendDecimal(number, &field_->text);
    return true;
  }

  // A key comes in parts only if it holds an escape or is very long. `total` counts the parts up
  // to and with this one.
  void AddToKey(json::string_view part, size_t total) {
    if (total <= kLongestKey) part.copy(key_.data() + total - part.size(), part.size());
  }
  void AddToString(json::string_view part, size_t total) {
    if (depth_ != 1 || field_ == nullptr) return;
    if (part.size() == total) {
      field_->kind = PlainKind::kAbsent;  // until it is whole
      field_->text.assign(part.data(), part.size());
    } else {
      field_->text.append(part.data(), part.size());
    }
  }
  PlainField* Find(std::string_view name) {
    for (size_t i = 0; i < kPlainKeyCount; ++i) {
      if (kKeyNames[i] == name) return &fields_->all[i];
    }
    return nullptr;
  }

  PlainFields* const fields_;
  PlainField* field_ = nullptr;  // of the current key; null if the key is unknown
  size_t depth_ = 0;
  std::array<char, kLongestKey> key_;
};

// "'x'", or "byte 0x01" if it cannot be shown.
std::string Shown(char c) {
  if (c >= 0x20 && c < 0x7F) return Concat({"'", std::string_view(&c, 1), "'"});
  static constexpr char kHex[] = "0123456789ABCDEF";
  const auto byte = static_cast<uint8_t>(c);
  return {'b', 'y', 't', 'e', ' ', '0', 'x', kHex[byte >> 4], kHex[byte & 0xF]};
}

// True if the escape of a leading surrogate ends right before `at` (or before the backslash in
// between). The parser then stopped because the other half does not follow.
bool AfterLeadingSurrogate(std::string_view text, size_t at) {
  constexpr size_t kEscape = 6;  // \uD83D
  if (at > 0 && text[at - 1] == '\\') --at;
  if (at < kEscape) return false;
  const std::string_view escape = text.substr(at - kEscape, kEscape);
  return escape.substr(0, 2) == "\\u" && (escape[2] == 'd' || escape[2] == 'D') &&
         std::string_view("89abAB").find(escape[3]) != std::string_view::npos;
}

std::string Reason(json::error_code error, std::string_view text, size_t at) {
  if (error == json::error::incomplete || at >= text.size()) {
    return "the text ends before the object does";
  }
  if (error == json::error::extra_data) return "something follows the object";
  if (error == json::error::too_deep) {
    return Concat({"nested deeper than ", std::to_string(kPlainJsonMaxDepth), " levels"});
  }
  if (error == json::error::illegal_leading_surrogate ||
      error == json::error::illegal_trailing_surrogate ||
      (error == json::error::syntax && AfterLeadingSurrogate(text, at))) {
    return "half of a surrogate pair: such escapes come in twos";
  }
  if (error == json::error::expected_hex_digit) return "\\u takes four hexadecimal digits";
  if (error == json::error::exponent_overflow) return "the number's exponent is too large";
  if (error == json::error::syntax) return Concat({"unexpected ", Shown(text[at])});
  return error.message();
}

DecodeError NotJson(json::error_code error, std::string_view text, size_t at) {
  // The parser reports bad UTF-8 with the same error as a stray comma.
  if (const size_t bad = FirstInvalidUtf8(text); bad < text.size()) {
    return {Outcome::kInvalidUtf8,
            Concat({"not UTF-8 at byte ", std::to_string(bad), " (", Shown(text[bad]),
                    "): a message is JSON text in UTF-8"}),
            {}};
  }
  return {Outcome::kInvalidMessage,
          Concat({"not JSON at byte ", std::to_string(at), ": ", Reason(error, text, at),
                  R"(; a message is one JSON object, as {"action_type":"direct","body":"hello"})"}),
          {}};
}

}  // namespace

std::string_view PlainKeyName(PlainKey key) { return kKeyNames[static_cast<size_t>(key)]; }

std::string_view PlainKindName(PlainKind kind) {
  static constexpr std::array<std::string_view, 10> kNames = {"absent",
                                                              "a string",
                                                              "an integer",
                                                              "an integer out of range",
                                                              "a fractional number",
                                                              "a boolean",
                                                              "a boolean",
                                                              "null",
                                                              "an object",
                                                              "an array"};
  return kNames[static_cast<size_t>(kind)];
}

std::optional<DecodeError> ReadPlainFields(std::string_view text, PlainFields* fields) {
  // The parser accepts any value, but a message has to be an object.
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) {
    return NotJson(json::error::incomplete, text, text.size());
  }
  if (text[begin] != '{') return NotJson(json::error::syntax, text, begin);

  json::parse_options options;
  options.max_depth = kPlainJsonMaxDepth;
  json::basic_parser<Handler> parser(options, fields);
  json::error_code error;
  const size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (error) return NotJson(error, text, consumed);
  if (consumed < text.size()) return NotJson(json::error::extra_data, text, consumed);
  return std::nullopt;
}

}  // namespace crier
