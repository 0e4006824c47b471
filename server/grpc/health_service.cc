#include "server/grpc/health_service.h"

#include <memory>
#include <string>
#include <utility>

#include "grpc/health/v1/health.pb.h"
#include "server/base/concat.h"
#include "server/grpc/request_handler.h"

namespace crier {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

bool IsServed(std::string_view service) {
  return service.empty() || service == "crier.v1.Messaging" || service == "grpc.health.v1.Health";
}

// False: the bytes are not a request, and the call was finished.
bool Parse(Call* call, std::string_view bytes, HealthCheckRequest* request) {
  if (request->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return true;
  call->Finish(ToGrpcStatus(Outcome::kInvalidMessage,
                            "the request is not a grpc.health.v1.HealthCheckRequest"));
  return false;
}

std::string Response(int status) {
  HealthCheckResponse response;
  response.set_status(static_cast<HealthCheckResponse::ServingStatus>(status));
  return response.SerializeAsString();
}

}  // namespace

// Sends the health now and after each change, until the client leaves.
class HealthWatch final : public CallHandler, public WatchHook {
 public:
  HealthWatch(Call* call, HealthService* health) : call_(*call), health_(*health) {}

  void OnMessage(std::string_view message) override {
    if (std::exchange(asked_, true)) {
      call_.Finish({GrpcCode::kUnimplemented, "a second request, where there is one in a call"});
      return;
    }
    HealthCheckRequest request;
    if (Parse(&call_, message, &request)) known_ = IsServed(request.service());
  }
  // Not before: a second request could follow.
  void OnHalfClose() override {
    if (!asked_) {
      call_.Finish({GrpcCode::kUnimplemented, "the call ended without a request"});
      return;
    }
    health_.watches_[call_.shard().index()].push_back(*this);
    Tell();
  }
  void OnShutdown() override { call_.Finish(ToGrpcStatus(Outcome::kShutdown)); }

  void Tell() {
    call_.Guard([this] {
      const int status = known_ ? health_.StatusNow() : HealthCheckResponse::SERVICE_UNKNOWN;
      if (std::exchange(told_, status) != status) call_.Send(Response(status));
    });
  }

 private:
  Call& call_;
  HealthService& health_;
  bool asked_ = false;
  bool known_ = false;
  int told_ = -1;
};

HealthService::HealthService(size_t shards) : watches_(shards) {}

HealthService::~HealthService() = default;

void HealthService::Register(MethodTable* methods) {
  methods->Add("/grpc.health.v1.Health/Check", [this](Call* call) {
    return std::make_unique<RequestHandler>(
        call, [this](Call* asked, std::string_view request) { Check(asked, request); });
  });
  methods->Add("/grpc.health.v1.Health/Watch",
               [this](Call* call) { return std::make_unique<HealthWatch>(call, this); });
}

int HealthService::StatusNow() const {
  return ready_.load(std::memory_order_relaxed) ? HealthCheckResponse::SERVING
                                                : HealthCheckResponse::NOT_SERVING;
}

void HealthService::Check(Call* call, std::string_view request) const {
  HealthCheckRequest parsed;
  if (!Parse(call, request, &parsed)) return;
  if (!IsServed(parsed.service())) {
    call->Finish({GrpcCode::kNotFound, Concat({"no service ", parsed.service(), " here"})});
    return;
  }
  call->Send(Response(StatusNow()));
  call->Finish({});
}

void HealthService::Tell(const Shard& shard) {
  Watches& watches = watches_[shard.index()];
  for (auto it = watches.begin(); it != watches.end();) {
    (it++)->Tell();  // which may end that one
  }
}

}  // namespace crier
