#include "server/engine/memory_return.h"

#include <malloc.h>

#include <algorithm>

namespace crier {

bool MemoryReturn::IsDue(TimePoint now) {
  const int64_t used = budget_.used();
  most_ = std::max(most_, used);
  if (now < next_look_) return false;
  next_look_ = now + kInterval;
  if (most_ - used < std::max(kLeastBytes, most_ / 4)) return false;
  most_ = used;
  return true;
}

void MemoryReturn::Trim() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace crier
