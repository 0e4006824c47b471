// The payload of a close frame (RFC 6455, sections 5.5.1 and 7.4).
//
// Pure functions: thread-safe.
#ifndef CRIER_SERVER_WEBSOCKET_CLOSE_PAYLOAD_H_
#define CRIER_SERVER_WEBSOCKET_CLOSE_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace crier {

// True for codes that an endpoint may send: those of the protocol and of IANA's registry that are
// for the wire (1000 to 1003, 1007 to 1014), and those of libraries and applications (3000 to
// 4999).
bool IsCloseCode(unsigned code);

enum class ClosePayload : uint8_t { kValid, kBadLength, kBadCode, kBadReason };

// Checks what a peer has sent.
ClosePayload CheckClosePayload(std::string_view payload);

// A control frame's payload is at most 125 bytes, two of them the code (RFC 6455, section 5.5).
inline constexpr size_t kMaxCloseReasonBytes = 123;

// The code, and as much of the reason as fits. REQUIRES: IsCloseCode(code); the reason is UTF-8.
std::string MakeClosePayload(uint16_t code, std::string_view reason);

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_CLOSE_PAYLOAD_H_
