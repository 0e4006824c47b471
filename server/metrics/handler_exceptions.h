// What happens to an exception that comes out of a handler: it is counted and logged, and what it
// belonged to ends. The process goes on, and so does everybody else.
#ifndef CRIER_SERVER_METRICS_HANDLER_EXCEPTIONS_H_
#define CRIER_SERVER_METRICS_HANDLER_EXCEPTIONS_H_

#include <string_view>

#include "server/metrics/instruments.h"

namespace crier {

// To be called where an exception is being handled: counts it, and logs what it says of itself and
// `where` it came from. At most one line a second is logged by the whole process; it says how many
// were left out since the last one. `counter` may be null. Runs on: the counter's thread.
void NoteHandlerException(Counter* counter, std::string_view where) noexcept;

// Runs `action`; where it throws, notes that and returns false.
template <class Action>
bool NoThrow(Counter* counter, std::string_view where, Action&& action) noexcept {
  try {
    action();
    return true;
  } catch (...) {
    NoteHandlerException(counter, where);
    return false;
  }
}

}  // namespace crier

#endif  // CRIER_SERVER_METRICS_HANDLER_EXCEPTIONS_H_
