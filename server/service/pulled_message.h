// A message that is given in parts, as the client takes them: nothing of it is made ahead.
#ifndef CRIER_SERVER_SERVICE_PULLED_MESSAGE_H_
#define CRIER_SERVER_SERVICE_PULLED_MESSAGE_H_

#include <cstddef>
#include <string>

namespace crier {

// In protobuf's encoding. Runs on: shard thread.
class PulledMessage {
 public:
  virtual ~PulledMessage() = default;
  // All of it, in bytes.
  virtual size_t size() const = 0;
  // Appends the next so many bytes. REQUIRES: so many are left.
  virtual void AppendNext(size_t bytes, std::string* out) = 0;
};

}  // namespace crier

#endif  // CRIER_SERVER_SERVICE_PULLED_MESSAGE_H_
