// Whatever a key's file holds: no crash, no key without an algorithm, and no key that takes an
// empty signature. The first byte chooses whether the rest is a JWKS or a file of --auth_keys.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "server/auth/key_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<std::string> passed_over;
  const auto keys =
      data[0] % 2 == 0 ? crier::ParseJwks(text, &passed_over) : crier::ParseKeyFile(text);
  if (!keys.ok()) {
    if (keys.status().message().empty()) std::abort();
    return 0;
  }
  if (keys->empty()) std::abort();
  for (const crier::VerifyingKey& key : *keys) {
    bool fits_any = false;
    for (const crier::Algorithm algorithm :
         {crier::Algorithm::kHs256, crier::Algorithm::kHs384, crier::Algorithm::kHs512,
          crier::Algorithm::kRs256, crier::Algorithm::kEs256, crier::Algorithm::kEdDsa}) {
      if (!key.Fits(algorithm)) continue;
      fits_any = true;
      for (const std::string& signature :
           {std::string(), std::string(32, '\0'), std::string(64, '\0'), std::string(256, '\0')}) {
        if (key.Verify(algorithm, "text", signature)) std::abort();
      }
    }
    if (!fits_any) std::abort();
  }
  return 0;
}
