// Keeps one completion handler of an asynchronous operation until the operation is done.
#ifndef CRIER_SERVER_WEBSOCKET_HANDLER_SLOT_H_
#define CRIER_SERVER_WEBSOCKET_HANDLER_SLOT_H_

#include <boost/system/error_code.hpp>
#include <cassert>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace crier {

// Keeps its memory from one handler to the next: a connection that reads one message after the
// other allocates nothing for it. A handler that was never fired is destroyed with the slot.
//
// Not thread-safe.
class HandlerSlot {
 public:
  HandlerSlot() = default;
  HandlerSlot(HandlerSlot&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        act_(std::exchange(other.act_, nullptr)) {}
  HandlerSlot& operator=(HandlerSlot&& other) = delete;
  ~HandlerSlot() {
    if (armed()) Disarm();
    ::operator delete(memory_);
  }

  bool armed() const { return act_ != nullptr; }

  // Takes a handler of the form void(boost::system::error_code, size_t). REQUIRES: !armed().
  template <class Handler>
  void Arm(Handler&& handler) {
    using Stored = std::decay_t<Handler>;
    static_assert(alignof(Stored) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    assert(!armed());
    if (capacity_ < sizeof(Stored)) {
      ::operator delete(std::exchange(memory_, nullptr));
      memory_ = ::operator new(sizeof(Stored));
      capacity_ = sizeof(Stored);
    }
    new (memory_) Stored(std::forward<Handler>(handler));
    act_ = &Act<Stored>;
  }

  // Destroys the handler without calling it. REQUIRES: armed().
  void Disarm() {
    assert(armed());
    act_(this, nullptr);
  }

  // Calls the handler, which may arm the slot again, and may destroy it. REQUIRES: armed().
  void Fire(boost::system::error_code error, size_t bytes) {
    assert(armed());
    const Result result{error, bytes};
    act_(this, &result);
  }

 private:
  struct Result {
    boost::system::error_code error;
    size_t bytes;
  };

  // Takes the handler out, and calls it where there is a result.
  template <class Stored>
  static void Act(HandlerSlot* slot, const Result* result) {
    auto* stored = static_cast<Stored*>(slot->memory_);
    slot->act_ = nullptr;
    if (result == nullptr) {
      stored->~Stored();
      return;
    }
    Stored handler(std::move(*stored));
    stored->~Stored();
    handler(result->error, result->bytes);
  }

  void* memory_ = nullptr;
  size_t capacity_ = 0;
  void (*act_)(HandlerSlot*, const Result*) = nullptr;
};

}  // namespace crier

#endif  // CRIER_SERVER_WEBSOCKET_HANDLER_SLOT_H_
