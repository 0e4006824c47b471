#include "tests/bench/allocations.h"

#include <execinfo.h>
#include <link.h>
#include <malloc.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>

extern "C" {
// glibc's own, under the names that it keeps for programs such as this.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace crier::guard {
namespace {

bool counting = false;
uint64_t counted = 0;
int to_trace = 0;

// The difference between the program's address in memory and in its file.
uintptr_t LoadBias() {
  uintptr_t bias = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* program, size_t, void* out) {
        *static_cast<uintptr_t*>(out) = program->dlpi_addr;
        return 1;  // the first is the program itself
      },
      &bias);
  return bias;
}

void Trace() {
  constexpr int kOwnFrames = 2;  // this function and the one that counts
  std::array<void*, 32> frames;
  const int depth = backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = kOwnFrames; i < depth; ++i) {
    std::fprintf(stderr, "%#zx ", reinterpret_cast<uintptr_t>(frames[i]) - LoadBias());
  }
  std::fputc('\n', stderr);
}

void Count() {
  if (!counting) return;
  ++counted;
  if (to_trace <= 0) return;
  --to_trace;
  counting = false;  // what tracing itself allocates
  Trace();
  counting = true;
}

}  // namespace

void CountAllocations(bool on) { counting = on; }
uint64_t allocations() { return counted; }
void TraceAllocations(int count) { to_trace = count; }

uint64_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

}  // namespace crier::guard

// free is left as it is: the memory is glibc's.
extern "C" {

void* malloc(size_t size) noexcept {
  crier::guard::Count();
  return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) noexcept {
  crier::guard::Count();
  return __libc_calloc(count, size);
}

void* realloc(void* memory, size_t size) noexcept {
  crier::guard::Count();
  return __libc_realloc(memory, size);
}

void* memalign(size_t alignment, size_t size) noexcept {
  crier::guard::Count();
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) noexcept { return memalign(alignment, size); }

int posix_memalign(void** out, size_t alignment, size_t size) noexcept {
  *out = memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}

}  // extern "C"
