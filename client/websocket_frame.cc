#include "client/websocket_frame.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstring>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "client/text.h"

namespace crier::client {
namespace {

// Masks eight bytes at a time; the mask's bytes are those of `mask` as it lies in memory.
void Mask(char* data, size_t size, uint32_t mask) {
  const uint64_t wide = static_cast<uint64_t>(mask) << 32 | mask;
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    std::memcpy(&word, data + i, 8);
    word ^= wide;
    std::memcpy(data + i, &word, 8);
  }
  char key[4];
  std::memcpy(key, &mask, 4);
  for (; i < size; ++i) data[i] = static_cast<char>(data[i] ^ key[i % 4]);
}

}  // namespace

void AppendClientFrame(Opcode opcode, std::string_view payload, uint32_t mask, std::string* out) {
  char header[14];
  size_t size = 2;
  header[0] = static_cast<char>(0x80 | static_cast<uint8_t>(opcode));
  if (payload.size() < 126) {
    header[1] = static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= 0xFFFF) {
    header[1] = static_cast<char>(0x80 | 126);
    header[2] = static_cast<char>(payload.size() >> 8);
    header[3] = static_cast<char>(payload.size());
    size = 4;
  } else {
    header[1] = static_cast<char>(0x80 | 127);
    for (int i = 0; i < 8; ++i) {
      header[2 + i] = static_cast<char>(static_cast<uint64_t>(payload.size()) >> (56 - 8 * i));
    }
    size = 10;
  }
  std::memcpy(header + size, &mask, 4);
  out->append(header, size + 4);
  const size_t start = out->size();
  out->append(payload);
  Mask(out->data() + start, payload.size(), mask);
}

void AppendCloseFrame(uint16_t code, std::string_view reason, uint32_t mask, std::string* out) {
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code)};
  payload.append(reason.substr(0, 123));
  AppendClientFrame(Opcode::kClose, payload, mask, out);
}

uint16_t CloseCode(std::string_view payload) {
  if (payload.size() < 2) return 1005;
  return static_cast<uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                               static_cast<unsigned char>(payload[1]));
}

std::string AcceptKey(std::string_view key) {
  // The constant is RFC 6455's, section 1.3.
  const std::string text = Concat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::Base64Escape(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

std::string NewKey() {
  unsigned char bytes[16] = {};
  RAND_bytes(bytes, sizeof(bytes));
  return absl::Base64Escape(absl::string_view(reinterpret_cast<const char*>(bytes), sizeof(bytes)));
}

std::string UpgradeRequest(std::string_view host, std::string_view path, std::string_view key,
                           std::string_view protocols, std::string_view token) {
  std::string request = Concat("GET ", path, " HTTP/1.1\r\nHost: ", host,
                               "\r\nUpgrade: websocket\r\nConnection: Upgrade"
                               "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
                               key, "\r\n");
  if (!protocols.empty()) AppendTo(&request, "Sec-WebSocket-Protocol: ", protocols, "\r\n");
  if (!token.empty()) AppendTo(&request, "Authorization: Bearer ", token, "\r\n");
  AppendTo(&request, "\r\n");
  return request;
}

UpgradeAnswer ReadUpgradeAnswer(std::string_view head, std::string_view expected_accept) {
  UpgradeAnswer answer;
  const std::vector<std::string> lines = absl::StrSplit(ForAbsl(head), "\r\n");
  const std::string_view status_line = lines[0];
  if (status_line.substr(0, 9) != "HTTP/1.1 " || status_line.size() < 12 ||
      !absl::SimpleAtoi(ForAbsl(status_line.substr(9, 3)), &answer.status)) {
    answer.problem = "the server does not answer in HTTP/1.1";
    return answer;
  }
  if (answer.status != 101) {
    answer.problem = Concat("the upgrade was answered with \"", status_line.substr(9), "\"");
    return answer;
  }
  std::string accept;
  for (const std::string& line : lines) {
    const auto [name, text] = SplitOnce(line, ':');
    const std::string value(absl::StripAsciiWhitespace(ForAbsl(text)));
    if (absl::EqualsIgnoreCase(ForAbsl(name), "Sec-WebSocket-Accept")) accept = value;
    if (absl::EqualsIgnoreCase(ForAbsl(name), "Sec-WebSocket-Protocol")) {
      answer.protocol = value;
    }
  }
  if (accept != expected_accept) answer.problem = "the upgrade's Sec-WebSocket-Accept is wrong";
  return answer;
}

}  // namespace crier::client
