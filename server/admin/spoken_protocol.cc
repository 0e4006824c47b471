#include "server/admin/spoken_protocol.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace crier {
namespace {

// Reads numbers and parts off the front of bytes. What is not there makes all that follows nullopt
// or empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::optional<size_t> Number(size_t bytes) {
    if (rest_.size() < bytes) return Fail();
    size_t number = 0;
    for (const char c : rest_.substr(0, bytes)) number = number << 8 | static_cast<uint8_t>(c);
    rest_.remove_prefix(bytes);
    return number;
  }
  std::optional<std::string_view> Part(size_t bytes) {
    if (rest_.size() < bytes) return Fail();
    const std::string_view part = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return part;
  }
  // A part behind its length.
  std::optional<std::string_view> Vector(size_t length_bytes) {
    const auto length = Number(length_bytes);
    return length ? Part(*length) : std::nullopt;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::nullopt_t Fail() {
    rest_ = {};
    return std::nullopt;
  }

  std::string_view rest_;
};

bool OffersOnlyHttp2(std::string_view protocol_list) {
  Reader lists(protocol_list);
  Reader names(lists.Vector(2).value_or(std::string_view()));
  bool http1 = false;
  bool http2 = false;
  while (!names.empty()) {
    const auto name = names.Vector(1);
    if (!name) break;
    http1 |= *name == "http/1.1";
    http2 |= *name == "h2";
  }
  return http2 && !http1;
}

// Of a ClientHello's body (RFC 8446, section 4.1.2).
bool WantsHttp2(std::string_view hello) {
  constexpr size_t kAlpn = 16;
  Reader reader(hello);
  reader.Part(2 + 32);  // version, random
  reader.Vector(1);     // session id
  reader.Vector(2);     // cipher suites
  reader.Vector(1);     // compression methods
  Reader extensions(reader.Vector(2).value_or(std::string_view()));
  while (!extensions.empty()) {
    const auto type = extensions.Number(2);
    const auto content = extensions.Vector(2);
    if (!type || !content) return false;
    if (*type == kAlpn) return OffersOnlyHttp2(*content);
  }
  return false;
}

}  // namespace

SpokenProtocol SpokenPlainly(std::string_view bytes) {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0";
  const size_t compared = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, compared) != kPreface.substr(0, compared)) return SpokenProtocol::kHttp1;
  return compared < kPreface.size() ? SpokenProtocol::kNotYet : SpokenProtocol::kHttp2;
}

SpokenProtocol SpokenInTls(std::string_view bytes) {
  constexpr size_t kHandshake = 22;
  constexpr size_t kClientHello = 1;
  Reader record(bytes);
  const auto type = record.Number(1);
  if (type && *type != kHandshake) return SpokenProtocol::kHttp1;
  record.Number(2);  // version
  const auto hello = record.Vector(2);
  if (!type || !hello) return SpokenProtocol::kNotYet;
  // In one record, as all clients send it.
  Reader message(*hello);
  const auto kind = message.Number(1);
  const auto body = message.Vector(3);
  if (!kind || *kind != kClientHello || !body) return SpokenProtocol::kHttp1;
  return WantsHttp2(*body) ? SpokenProtocol::kHttp2 : SpokenProtocol::kHttp1;
}

}  // namespace crier
