#include "server/grpc/connection_memory.h"

#include <malloc.h>

#include <cstdlib>

namespace crier {
namespace {

// Each has the count as its last argument.

int64_t SizeOf(void* block) { return static_cast<int64_t>(::malloc_usable_size(block)); }

void* Counted(void* block, void* count) {
  *static_cast<int64_t*>(count) += SizeOf(block);
  return block;
}

void* Malloc(size_t size, void* count) { return Counted(std::malloc(size), count); }

void Free(void* block, void* count) {
  *static_cast<int64_t*>(count) -= SizeOf(block);
  std::free(block);
}

void* Calloc(size_t number, size_t size, void* count) {
  return Counted(std::calloc(number, size), count);
}

void* Realloc(void* block, size_t size, void* count) {
  const int64_t before = SizeOf(block);
  void* const moved = std::realloc(block, size);
  // Where there is no memory, the old block stays.
  if (moved != nullptr || size == 0) *static_cast<int64_t*>(count) += SizeOf(moved) - before;
  return moved;
}

}  // namespace

nghttp2_mem ConnectionMemory::Allocator() {
  return {.mem_user_data = &of_nghttp2_,
          .malloc = &Malloc,
          .free = &Free,
          .calloc = &Calloc,
          .realloc = &Realloc};
}

}  // namespace crier
