#include "server/websocket/close_payload.h"

#include <cassert>

#include "server/base/utf8.h"

namespace crier {

bool IsCloseCode(unsigned code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

ClosePayload CheckClosePayload(std::string_view payload) {
  if (payload.empty()) return ClosePayload::kValid;
  if (payload.size() == 1) return ClosePayload::kBadLength;
  const auto byte = [&](size_t i) {
    return static_cast<unsigned>(static_cast<uint8_t>(payload[i]));
  };
  if (!IsCloseCode(byte(0) << 8 | byte(1))) return ClosePayload::kBadCode;
  const std::string_view reason = payload.substr(2);
  return FirstInvalidUtf8(reason) == reason.size() ? ClosePayload::kValid
                                                   : ClosePayload::kBadReason;
}

std::string MakeClosePayload(uint16_t code, std::string_view reason) {
  assert(IsCloseCode(code));
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return payload.append(Utf8Prefix(reason, kMaxCloseReasonBytes));
}

}  // namespace crier
