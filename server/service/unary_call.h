// One unary call, as the handler of its method sees it. A surface (gRPC, HTTP) derives its own: it
// knows how a request came and how an answer is written, and a handler knows neither.
#ifndef CRIER_SERVER_SERVICE_UNARY_CALL_H_
#define CRIER_SERVER_SERVICE_UNARY_CALL_H_

#include <google/protobuf/message.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/base/outcome.h"
#include "server/engine/shard.h"
#include "server/metrics/handler_exceptions.h"
#include "server/service/caller.h"
#include "server/service/pulled_message.h"
#include "server/service/unary_error.h"

namespace crier {

// Metadata, or headers. Names are in lower case. Values of names that end in "-bin" are base64.
using CallFields = std::vector<std::pair<std::string, std::string>>;

// What a surface knows of a call besides its request.
struct UnaryHead {
  Caller caller;
  // How long the caller gave the call when it began; nullopt: as long as it takes. The surface ends
  // the call by itself when that time is over.
  std::optional<std::chrono::nanoseconds> timeout;
  // The request's, and the client's address. Empty, unless the method asked for them
  // (UnaryMethods::Fields).
  CallFields fields;
  std::string peer = {};
  // Another node of the cluster makes the call, for its own caller.
  bool by_node = false;
};

// A handler answers once: with Respond or Fail, at once or later, on the shard's thread. Further
// answers, and those of a call that is over, do nothing.
//
// Runs on: the shard's thread, all of it. Lives as long as somebody refers to it (Later does).
class UnaryCall : public std::enable_shared_from_this<UnaryCall> {
 public:
  virtual ~UnaryCall() = default;
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  Shard& shard() const { return shard_; }
  const UnaryHead& head() const { return head_; }
  const Caller& caller() const { return head_.caller; }
  // It was answered, its time is over, or the caller has broken it off.
  virtual bool over() const = 0;

  // Adds a field before (header) or behind (trailer) the response or error. Before the answer.
  virtual void AddHeader(std::string name, std::string value) = 0;
  virtual void AddTrailer(std::string name, std::string value) = 0;

  virtual void Respond(const google::protobuf::Message& response) = 0;
  // The same with one that is long: see AwaitRoom. It is of the method's type.
  virtual void Respond(std::unique_ptr<PulledMessage> response) = 0;
  virtual void Fail(UnaryError error) = 0;
  void Fail(Outcome outcome, std::string_view detail = {}) { Fail(ErrorOf(outcome, detail)); }

  // For a response that may be long: runs `make`, which makes one of about `bytes`, when the
  // surface has room for it and the caller takes it. That is at once, or later; or never: the call
  // may end before, or be refused with OVERLOADED.
  virtual void AwaitRoom(size_t bytes, absl::AnyInvocable<void(UnaryCall&)> make) = 0;
  // About the most bytes, in protobuf's encoding, that the surface takes of a long response. Of one
  // that would be longer, a handler gives the beginning.
  virtual size_t response_limit() const = 0;

  // For a handler that answers later: a callback that runs `action` with this call and its own
  // arguments, by Guard. It keeps the call alive.
  template <class Action>
  auto Later(Action action) {
    return [call = shared_from_this(), action = std::move(action)](auto&&... results) mutable {
      call->Guard([&] { action(*call, std::forward<decltype(results)>(results)...); });
    };
  }
  // Runs `action`. Where it throws, that is noted, and the call fails with INTERNAL.
  template <class Action>
  void Guard(Action&& action) noexcept {
    if (!NoThrow(&shard_.metrics().handler_exceptions, "a unary method", action)) FailInternal();
  }

 protected:
  // `shard` outlives the call.
  UnaryCall(Shard* shard, UnaryHead head) : shard_(*shard), head_(std::move(head)) {}
  // There is not even memory to fail: ends it in any way.
  virtual void CutOff() noexcept = 0;

 private:
  void FailInternal() noexcept;

  Shard& shard_;
  const UnaryHead head_;
};

}  // namespace crier

#endif  // CRIER_SERVER_SERVICE_UNARY_CALL_H_
