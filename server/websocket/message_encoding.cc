#include "server/websocket/message_encoding.h"

#include "server/websocket/deflater.h"

namespace crier {
namespace {

constexpr int kWidestWindowBits = 15;

}  // namespace

void MessageEncoding::Append(const v1::Event& event, std::string* out) const {
  const size_t at = out->size();
  AppendFrameSpace(out);
  append_(event, out);
  if (out->size() == at + kFrameSpaceBytes) {
    out->resize(at);
    return;
  }
  CloseFrame(start_, at, out);
}

void DeflatedMessageEncoding::Append(const v1::Event& event, std::string* out) const {
  thread_local std::string payload;
  payload.clear();
  append_(event, &payload);
  if (payload.empty()) return;
  const std::string_view deflated = DeflateMessage(payload, kWidestWindowBits);
  if (deflated.empty()) {
    AppendFrame(start_, payload, out);
  } else {
    AppendFrame(
        start_ == FrameStart::kText ? FrameStart::kCompressedText : FrameStart::kCompressedBinary,
        deflated, out);
  }
}

}  // namespace crier
