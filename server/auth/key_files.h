// The files that hold the keys, and when they are read again.
#ifndef CRIER_SERVER_AUTH_KEY_FILES_H_
#define CRIER_SERVER_AUTH_KEY_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/auth/token_verifier.h"
#include "server/auth/verifying_key.h"

namespace crier {

// Runs on: one thread.
class KeyFiles {
 public:
  struct Names {
    std::vector<std::string> keys;  // --auth_keys
    std::string jwks;               // --auth_jwks; empty: none
    bool empty() const { return keys.empty() && jwks.empty(); }
  };

  // `verifier` outlives this object.
  KeyFiles(Names names, TokenVerifier* verifier);

  // Reads them, and gives their keys to the verifier. On an error, which names the flag, the file
  // and what is wrong, the verifier keeps the keys that it has.
  absl::Status Load();
  // Does that again and logs what came of it. ReloadIfChanged: where a file has changed since it
  // was read last, well or not.
  void Reload();
  void ReloadIfChanged();

 private:
  // What tells one content of a file from another without reading it; all zero: there is no file.
  struct Stamp {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t size = 0;
    int64_t changed_nanos = 0;
    bool operator==(const Stamp&) const = default;
  };

  static Stamp StampOf(const std::string& name);
  std::vector<Stamp> Stamps() const;
  absl::StatusOr<std::vector<VerifyingKey>> ReadAll();

  const Names names_;
  TokenVerifier* const verifier_;
  std::vector<Stamp> read_;  // as they were when they were read last
  size_t count_ = 0;         // of keys
};

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_KEY_FILES_H_
