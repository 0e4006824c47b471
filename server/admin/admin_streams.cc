#include "server/admin/admin_streams.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "crier/v1/admin.pb.h"
#include "server/admin/admin_access.h"
#include "server/admin/stats.h"
#include "server/grpc/caller.h"
#include "server/service/unary_codec.h"

namespace crier {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortestInterval{100};
constexpr milliseconds kLongestInterval{3'600'000};
constexpr milliseconds kDefaultInterval{1000};

constexpr milliseconds kEventsInterval{100};
constexpr uint32_t kMostEventsPerSecond = 1000;
constexpr uint32_t kDefaultEventsPerSecond = 100;

// A call with one request, that is sent a message now and then. While the client does not take one,
// no other is made. Runs on: the call's shard's thread.
class Watch : public CallHandler {
 public:
  Watch(Call* call, std::optional<Grant> grant)
      : call_(*call), grant_(std::move(grant)), timer_(call->shard().io()) {}

  void OnMessage(std::string_view message) final {
    if (asked_) {
      call_.Finish({GrpcCode::kUnimplemented, "a second request, where there is one in a call"});
      return;
    }
    asked_ = true;
    if (const auto error = ReadRequest(message)) call_.Finish(ToGrpcStatus(*error));
  }
  void OnHalfClose() final {
    if (!asked_) {
      call_.Finish({GrpcCode::kUnimplemented, "the call ended without a request"});
      return;
    }
    if (call_.finishing()) return;
    call_.SendHead();
    Begin();
    Arm();
  }
  void OnAllSent() final { sending_ = false; }
  void OnShutdown() final { call_.Finish(ToGrpcStatus(Outcome::kShutdown)); }
  void OnOver(Outcome) final {
    timer_.cancel();
    alive_.reset();
    End();
  }

 protected:
  virtual std::optional<UnaryError> ReadRequest(std::string_view message) = 0;
  virtual void Begin() {}
  virtual void End() {}
  virtual milliseconds interval() const = 0;
  // What is sent now; empty: nothing.
  virtual std::string Next() = 0;

  Shard& shard() const { return call_.shard(); }

 private:
  void Arm() {
    timer_.expires_after(interval());
    timer_.async_wait([this, alive = std::weak_ptr<void>(alive_),
                       call = call_.weak_from_this()](const boost::system::error_code& error) {
      const std::shared_ptr<Call> asked = call.lock();
      if (error || alive.expired() || asked == nullptr) return;
      asked->Guard([this] { OnTime(); });
    });
  }
  void OnTime() {
    // As for a session, the end of the token is the end of the call.
    const int64_t now = shard().clock().WallNanos() / 1'000'000'000;
    if (grant_ && grant_->ends_at != 0 && grant_->ends_at <= now) {
      return call_.Finish(ToGrpcStatus(Outcome::kTokenExpired));
    }
    if (!sending_ && call_.CanSend()) {
      if (const std::string message = Next(); !message.empty()) {
        sending_ = true;
        call_.Send(message);
      }
    }
    if (!call_.finishing()) Arm();
  }

  Call& call_;
  const std::optional<Grant> grant_;
  boost::asio::steady_timer timer_;
  bool asked_ = false;
  bool sending_ = false;
  // Tells the timer's handler that this object is gone.
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

class StatsWatch final : public Watch {
 public:
  StatsWatch(Call* call, std::optional<Grant> grant, Engine* engine)
      : Watch(call, std::move(grant)), engine_(*engine) {}

 private:
  std::optional<UnaryError> ReadRequest(std::string_view message) override {
    v1::WatchStatsRequest request;
    if (auto error = DecodeRequest(UnaryCodec::kProto, message, &request)) return error;
    if (!request.has_interval()) return std::nullopt;
    const auto& interval = request.interval();
    if (interval.seconds() < 0 || interval.seconds() > 3600 || interval.nanos() < 0) {
      return WrongInterval();
    }
    interval_ = milliseconds(interval.seconds() * 1000 + interval.nanos() / 1'000'000);
    if (interval_ < kShortestInterval || interval_ > kLongestInterval) return WrongInterval();
    return std::nullopt;
  }
  static UnaryError WrongInterval() {
    return ErrorOf(Outcome::kInvalidMessage, "interval has to be from 0.1s to 3600s");
  }

  milliseconds interval() const override { return interval_; }

  std::string Next() override {
    v1::Stats stats;
    DescribeStats(engine_, &stats);
    return stats.SerializeAsString();
  }

  Engine& engine_;
  milliseconds interval_ = kDefaultInterval;
};

class EventsWatch final : public Watch {
 public:
  EventsWatch(Call* call, std::optional<Grant> grant, Engine* engine, EventHub* events)
      : Watch(call, std::move(grant)), engine_(*engine), events_(*events) {}
  ~EventsWatch() override { Leave(); }

 private:
  std::optional<UnaryError> ReadRequest(std::string_view message) override {
    v1::WatchEventsRequest request;
    if (auto error = DecodeRequest(UnaryCodec::kProto, message, &request)) return error;
    const uint32_t wanted = request.max_events_per_second();
    const uint32_t most =
        wanted == 0 || wanted > kMostEventsPerSecond ? kDefaultEventsPerSecond : wanted;
    // Few in a second come in fewer messages.
    interval_ = most < 10 ? milliseconds(1000) : kEventsInterval;
    queue_ = std::make_shared<EventQueue>(most < 10 ? most : most / 10);
    return std::nullopt;
  }
  void Begin() override {
    refusals_.emplace(&engine_.metrics().connections());
    events_.Add(queue_);
  }
  void End() override { Leave(); }
  void Leave() {
    if (!refusals_) return;
    events_.Remove(queue_);
    refusals_.reset();
  }
  milliseconds interval() const override { return interval_; }
  std::string Next() override {
    v1::AdminEvents events = queue_->Take();
    refusals_->AppendNew(shard().clock().WallNanos(), &events);
    return events.SerializeAsString();
  }

  Engine& engine_;
  EventHub& events_;
  milliseconds interval_ = kEventsInterval;
  std::shared_ptr<EventQueue> queue_;
  std::optional<RefusalWatch> refusals_;  // since Begin
};

// The caller's grant, or nullopt where the call was refused and is finished.
std::optional<Caller> AdmitAdmin(Call* call, bool open) {
  std::optional<Caller> caller = CallerOf(call);
  if (!caller) return std::nullopt;
  if (const auto refusal = CheckAdmin(*caller, open)) {
    call->Finish(ToGrpcStatus(ErrorOf(*refusal)));
    return std::nullopt;
  }
  return caller;
}

}  // namespace

void AddAdminStreams(Engine* engine, const AdminOptions* options, EventHub* events,
                     MethodTable* methods) {
  methods->Add("/crier.v1.Admin/WatchStats",
               [engine, options](Call* call) -> std::unique_ptr<CallHandler> {
                 auto caller = AdmitAdmin(call, options->open);
                 if (!caller) return nullptr;
                 return std::make_unique<StatsWatch>(call, std::move(caller->grant), engine);
               });
  methods->Add("/crier.v1.Admin/WatchEvents",
               [engine, options, events](Call* call) -> std::unique_ptr<CallHandler> {
                 auto caller = AdmitAdmin(call, options->open);
                 if (!caller) return nullptr;
                 return std::make_unique<EventsWatch>(call, std::move(caller->grant), engine,
                                                      events);
               });
}

}  // namespace crier
