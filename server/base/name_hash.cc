#include "server/base/name_hash.h"

#include <sodium/crypto_shorthash.h>
#include <sodium/crypto_shorthash_siphash24.h>

#include <array>
#include <cstring>

namespace crier {
namespace {

using Key = std::array<unsigned char, crypto_shorthash_siphashx24_KEYBYTES>;
static_assert(crypto_shorthash_siphash24_KEYBYTES == crypto_shorthash_siphashx24_KEYBYTES);

const Key& ProcessKey() {
  static const Key key = [] {
    Key made;
    crypto_shorthash_keygen(made.data());
    return made;
  }();
  return key;
}

const unsigned char* Bytes(std::string_view name) {
  return reinterpret_cast<const unsigned char*>(name.data());
}

}  // namespace

uint64_t HashName(std::string_view name) {
  unsigned char hash[crypto_shorthash_siphash24_BYTES];
  crypto_shorthash_siphash24(hash, Bytes(name), name.size(), ProcessKey().data());
  uint64_t value;
  std::memcpy(&value, hash, sizeof(value));
  return value;
}

NameDigest DigestName(std::string_view name) {
  unsigned char hash[crypto_shorthash_siphashx24_BYTES];
  crypto_shorthash_siphashx24(hash, Bytes(name), name.size(), ProcessKey().data());
  NameDigest digest;
  std::memcpy(&digest, hash, sizeof(digest));
  return digest;
}

}  // namespace crier
