// The values of a plain message, key by key. Reading them is the first half of decoding.
#ifndef CRIER_SERVER_CODEC_PLAIN_FIELDS_H_
#define CRIER_SERVER_CODEC_PLAIN_FIELDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/codec/decode_error.h"

namespace crier {

// The keys of the plain dialect, in the order in which faults are reported.
enum class PlainKey : uint8_t {
  kActionType,
  kBody,
  kUserId,
  kData,
  kTo,
  kTopic,
  kId,
  kEpoch,
  kOffset,
  kPresence,
};
inline constexpr size_t kPlainKeyCount = static_cast<size_t>(PlainKey::kPresence) + 1;

// The type of a key's value.
enum class PlainKind : uint8_t {
  kAbsent,
  kString,
  kInteger,      // from -2^63 to 2^64 - 1
  kHugeInteger,  // a whole number beyond that
  kFractional,   // written with a point or an exponent
  kTrue,
  kFalse,
  kNull,
  kObject,
  kArray,
};

struct PlainField {
  PlainKind kind = PlainKind::kAbsent;
  std::string text;  // of a string, unescaped; of an integer, in decimal
};

struct PlainFields {
  std::array<PlainField, kPlainKeyCount> all;
  PlainField& operator[](PlainKey key) { return all[static_cast<size_t>(key)]; }
  const PlainField& operator[](PlainKey key) const { return all[static_cast<size_t>(key)]; }
};

// The key as it is written in a message.
std::string_view PlainKeyName(PlainKey key);
// With an article: "a string".
std::string_view PlainKindName(PlainKind kind);

// Reads one JSON object into *fields, which has to be empty. Checks only that the text is valid
// JSON, not which type of value a key has. After an error, *fields holds what was read before it.
// Thread-safe.
std::optional<DecodeError> ReadPlainFields(std::string_view text, PlainFields* fields);

}  // namespace crier

#endif  // CRIER_SERVER_CODEC_PLAIN_FIELDS_H_
