#include "server/base/start_pages.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace crier {
namespace {

int ReturnPagesOf(dl_phdr_info* object, size_t /*size*/, void* /*unused*/) {
  // The kernel's own is no file.
  if (std::string_view(object->dlpi_name).starts_with("linux-vdso")) return 0;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    // What the linker writes to when it loads the object (relocations) is in a writable one.
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t from = object->dlpi_addr + segment.p_vaddr;
    const uintptr_t begin = (from + page - 1) / page * page;
    const uintptr_t end = (from + segment.p_memsz) / page * page;
    // Where the kernel refuses, they stay: nothing depends on it.
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

void ReturnStartPages() { ::dl_iterate_phdr(&ReturnPagesOf, nullptr); }

}  // namespace crier
