// Reads the server's text messages of the plain dialect, at millions a second.
#ifndef CRIER_CLIENT_BENCH_TEXT_SCANNER_H_
#define CRIER_CLIENT_BENCH_TEXT_SCANNER_H_

#include <string_view>

#include "client/bench/delivery.h"

namespace crier::bench {

// A server's text message always begins with the same four keys in the same order
// (docs/protocol.md, "Plain dialect"), so a broadcast or direct message is read by comparing
// constants and skipping values. If a message does not fit that template exactly (an escape in a
// needed value, another order, other white space), a JSON parser reads it, with the same result.
// Not thread-safe.
class TextScanner {
 public:
  // False: not a message of the plain dialect. The delivery's views point into `text` or this
  // scanner, and are valid until the next call.
  bool Scan(std::string_view text, Delivery* delivery) {
    if (ScanTemplate(text, delivery)) return true;
    ++parsed_;
    return Parse(text, delivery);
  }

  // How many messages needed the parser.
  uint64_t parsed() const { return parsed_; }

  // The two halves of Scan, apart for the tests.
  static bool ScanTemplate(std::string_view text, Delivery* delivery);
  bool Parse(std::string_view text, Delivery* delivery);

 private:
  uint64_t parsed_ = 0;
  v1::Event event_;
};

}  // namespace crier::bench

#endif  // CRIER_CLIENT_BENCH_TEXT_SCANNER_H_
