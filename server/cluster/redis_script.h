// A Lua script that Redis runs.
#ifndef CRIER_SERVER_CLUSTER_REDIS_SCRIPT_H_
#define CRIER_SERVER_CLUSTER_REDIS_SCRIPT_H_

#include <string>

namespace crier {

// Immutable. Redis knows a script by the digest of its source, once it has been loaded.
class RedisScript {
 public:
  explicit RedisScript(std::string source);

  const std::string& source() const { return source_; }
  // SHA-1 in lower-case hex: 40 characters.
  const std::string& digest() const { return digest_; }

 private:
  std::string source_;
  std::string digest_;
};

}  // namespace crier

#endif  // CRIER_SERVER_CLUSTER_REDIS_SCRIPT_H_
