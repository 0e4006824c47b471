// Counts a program's calls of malloc. Linking allocations.cc replaces the allocating functions, in
// the whole program and its libraries, by functions that count and then do the same as the C
// library's own (glibc only).
#ifndef CRIER_TESTS_BENCH_ALLOCATIONS_H_
#define CRIER_TESTS_BENCH_ALLOCATIONS_H_

#include <cstdint>

namespace crier::guard {

// Not thread-safe: for a program of one thread.

// While counting: every malloc, calloc, realloc and aligned allocation, operator new included.
void CountAllocations(bool on);
// The number of allocations so far, while counting was on.
uint64_t allocations();

// Writes to standard error from where the next `count` counted ones are made: a line of addresses
// each, innermost first, as the program's file has them (for addr2line).
void TraceAllocations(int count);

// Bytes in use on the heap, with malloc's own few bytes per piece.
uint64_t heap_bytes();

}  // namespace crier::guard

#endif  // CRIER_TESTS_BENCH_ALLOCATIONS_H_
