// Whether AddressSanitizer or ThreadSanitizer is in this program: its malloc does not tell how much
// it gave, and all is slower.
#ifndef CRIER_TESTS_SUPPORT_SANITIZED_H_
#define CRIER_TESTS_SUPPORT_SANITIZED_H_

namespace crier::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)  // GCC
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)  // clang
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_SANITIZED_H_
