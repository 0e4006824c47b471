// Gives back the pages of code that only the start of the program needed.
#ifndef CRIER_SERVER_BASE_START_PAGES_H_
#define CRIER_SERVER_BASE_START_PAGES_H_

namespace crier {

// Unmaps the pages of this program and its libraries that are read only and come from their files.
// What is needed again comes from the system's cache of files, 16 pages at a time. To be called
// once the program has started: flags, descriptors of protocols and the like are read only then,
// and would count as resident for ever. What a debugger or a probe has written into code is lost.
//
// Linux only: MADV_DONTNEED, as madvise(2) has it for private mappings of files. Thread-safe.
void ReturnStartPages();

}  // namespace crier

#endif  // CRIER_SERVER_BASE_START_PAGES_H_
