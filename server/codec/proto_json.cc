#include "server/codec/proto_json.h"

#include <google/protobuf/util/json_util.h>

#include <cassert>

#include "server/base/concat.h"
#include "server/base/utf8.h"

namespace crier {
namespace {

namespace util = google::protobuf::util;

constexpr std::string_view kRight =
    "send a crier.v1.ClientFrame in protobuf's JSON mapping, such as "
    R"({"publish":{"actionType":"DIRECT","body":"hello"}})";

// The most that is kept of the parser's error, which can hold a value as long as the message.
constexpr size_t kShownHead = 120;
constexpr size_t kShownTail = 60;

// For a text that is too long: its beginning, dots and its end.
std::string Shortened(std::string_view text) {
  if (text.size() <= kShownHead + kShownTail) return std::string(text);
  std::string_view tail = text.substr(text.size() - kShownTail);
  while (!tail.empty() && (static_cast<uint8_t>(tail[0]) & 0xC0) == 0x80) tail.remove_prefix(1);
  return Concat({Utf8Prefix(text, kShownHead), "...", tail});
}

// The parser's error is one line. For a syntax error, the text around it follows, and a line of
// blanks with a caret under the place. That text may be cut inside a UTF-8 character.
std::string Explain(std::string_view said) {
  const size_t first_end = said.find('\n');
  std::string_view what = said.substr(0, first_end);
  while (what.starts_with(": ")) what.remove_prefix(2);
  while (what.ends_with('.')) what.remove_suffix(1);
  what = what.substr(0, FirstInvalidUtf8(what));
  std::string explained = Shortened(what);
  const size_t last_begin = said.rfind('\n');
  if (last_begin == said.npos || last_begin == first_end || !said.ends_with('^')) return explained;
  const std::string_view around = said.substr(first_end + 1, last_begin - first_end - 1);
  const size_t column = said.size() - last_begin - 2;
  if (column >= around.size()) return explained + ", at the end";
  const std::string_view at = around.substr(column);
  return Concat({explained, ", at '", at.substr(0, FirstInvalidUtf8(at)), "'"});
}

}  // namespace

std::optional<DecodeError> DecodeProtoJson(std::string_view text, v1::ClientFrame* frame) {
  assert(frame->frame_case() == v1::ClientFrame::FRAME_NOT_SET);
  return DecodeProtoJsonMessage(text, frame, "frame", kRight);
}

std::optional<DecodeError> DecodeProtoJsonMessage(std::string_view text,
                                                  google::protobuf::Message* message,
                                                  std::string_view what, std::string_view right) {
  util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const util::Status status =
      util::JsonStringToMessage({text.data(), text.size()}, message, options);
  if (status.ok()) return std::nullopt;
  // The parser reports bad UTF-8 with the same error as a stray comma.
  if (const size_t bad = FirstInvalidUtf8(text); bad < text.size()) {
    return DecodeError{
        Outcome::kInvalidUtf8,
        Concat({"not UTF-8 at byte ", std::to_string(bad), ": a message is JSON text in UTF-8"}),
        {}};
  }
  const auto said = status.message();
  return DecodeError{
      Outcome::kInvalidMessage,
      Concat({"not a ", what, ": ", Explain({said.data(), static_cast<size_t>(said.size())}), "; ",
              right}),
      {}};
}

void AppendProtoJson(const v1::Event& event, std::string* out) {
  if (event.event_case() == v1::Event::EVENT_NOT_SET) return;
  out->append(R"({"events":[)");
  [[maybe_unused]] const util::Status status = util::MessageToJsonString(event, out);
  assert(status.ok());
  out->append("]}");
}

}  // namespace crier
