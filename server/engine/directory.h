// Which sessions speak for a user. Each user's entry lives on one shard, the user's home, like a
// topic on its own.
#ifndef CRIER_SERVER_ENGINE_DIRECTORY_H_
#define CRIER_SERVER_ENGINE_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "server/base/string_map.h"
#include "server/engine/bus.h"

namespace crier {

// Runs on: the home shard's thread.
class Directory {
 public:
  // False: the user has `most` already (0: no limit), and this one is not among them.
  bool Add(std::string_view user, SessionRef session, size_t most);
  // Of one that was not added: nothing.
  void Remove(std::string_view user, SessionRef session);
  // Valid until the next change.
  std::span<const SessionRef> Find(std::string_view user) const;

 private:
  StringMap<absl::InlinedVector<SessionRef, 1>> sessions_;
};

}  // namespace crier

#endif  // CRIER_SERVER_ENGINE_DIRECTORY_H_
