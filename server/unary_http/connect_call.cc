#include "server/unary_http/connect_call.h"

#include <google/protobuf/descriptor.h>

#include <cassert>
#include <utility>
#include <variant>
#include <vector>

#include "server/base/concat.h"
#include "server/engine/engine.h"

namespace crier {
namespace {

// About the most bytes of a long response, in protobuf: an answer is made in one go on the shard's
// thread, and as JSON it may be six times as long. Who wants more asks again for what follows.
constexpr size_t kMostResponseBytes = 64 << 10;

// What was answered and not taken yet uses this shard's part of an eighth of the memory budget:
// more answers would drive others' logs out.
bool MuchWaits(const Shard& shard) {
  const int64_t waiting = shard.metrics().memory[static_cast<size_t>(MemoryKind::kOutput)].value();
  const EngineOptions& options = shard.engine().options();
  return waiting > static_cast<int64_t>(options.memory_budget / 8 / options.shards);
}

class ConnectCall final : public UnaryCall {
 public:
  using Done = absl::AnyInvocable<void(const ConnectAnswer&)>;

  ConnectCall(const UnaryMethod& method, Shard* shard, UnaryHead head,
              const ConnectFraming& framing, std::weak_ptr<void> asks, Done done)
      : UnaryCall(shard, std::move(head)),
        method_(method),
        framing_(framing),
        asks_(std::move(asks)),
        done_(std::move(done)) {}

  bool over() const override { return done_ == nullptr || asks_.expired(); }
  void AddHeader(std::string name, std::string value) override {
    added_.emplace_back(std::move(name), std::move(value));
  }
  void AddTrailer(std::string name, std::string value) override {
    // The protocol's name for them: a unary response has all its fields in front.
    added_.emplace_back(Concat({"trailer-", name}), std::move(value));
  }

  using UnaryCall::Fail;
  void Respond(const google::protobuf::Message& response) override {
    if (!over()) Answer(AnswerOf(framing_, response));
  }
  void Respond(std::unique_ptr<PulledMessage> response) override {
    if (over()) return;
    std::string bytes;
    bytes.reserve(response->size());
    response->AppendNext(response->size(), &bytes);
    Answer(AnswerOf(framing_, std::move(bytes), method_.response_prototype));
  }
  void Fail(UnaryError error) override {
    if (!over()) Answer(AnswerOf(error));
  }

  void AwaitRoom(size_t /*bytes*/, absl::AnyInvocable<void(UnaryCall&)> make) override {
    if (MuchWaits(shard())) return Fail(Outcome::kOverloaded);
    make(*this);
  }
  size_t response_limit() const override { return kMostResponseBytes; }

 private:
  // Its connection's deadline ends it.
  void CutOff() noexcept override {}
  void Answer(ConnectAnswer answer) {
    for (auto& field : added_) answer.headers.push_back(std::move(field));
    std::exchange(done_, nullptr)(answer);
  }

  const UnaryMethod& method_;
  const ConnectFraming framing_;
  const std::weak_ptr<void> asks_;
  CallFields added_;
  Done done_;  // null: it was answered
};

// "Publish and History".
std::string NamesOf(const UnaryMethods& methods, std::string_view service) {
  std::vector<std::string_view> names;
  for (const auto& method : methods.all()) {
    const std::string_view path = method->path;
    if (path.substr(1, path.rfind('/') - 1) == service) {
      names.push_back(path.substr(path.rfind('/') + 1));
    }
  }
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  return text;
}

// As the proto files have it.
bool IsStream(const std::string& service, std::string_view name) {
  const auto* declared =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
  const auto* method =
      declared == nullptr ? nullptr : declared->FindMethodByName(std::string(name));
  return method != nullptr && (method->client_streaming() || method->server_streaming());
}

}  // namespace

ConnectAnswer NoSuchMethod(const UnaryMethods& methods, std::string_view path) {
  constexpr int kUnimplemented = 12;
  const std::string& service = *methods.ServiceOf(path);
  const std::string_view name = path.substr(path.rfind('/') + 1);
  if (IsStream(service, name)) {
    return AnswerOf(UnaryError{
        .code = kUnimplemented,
        .message = Concat(
            {name, " is a stream, for gRPC",
             service == "crier.v1.Messaging" ? "; by HTTP there is WebSocket at /ws" : ""})});
  }
  const std::string names = NamesOf(methods, service);
  const bool one = names.find(' ') == names.npos;
  ConnectAnswer answer = AnswerOf(UnaryError{
      .code = kUnimplemented,
      .message = Concat({"there is no such method; there ", one ? "is " : "are ", names})});
  answer.status = 404;
  return answer;
}

void MakeConnectCall(const UnaryMethod& method, Shard* shard, ConnectRequest request,
                     size_t max_bytes, std::weak_ptr<void> asks,
                     absl::AnyInvocable<void(const ConnectAnswer&)> done) {
  // Runs on: shard thread
  assert(shard->IsCurrent());
  UnaryHead head{.caller = std::move(request.caller),
                 .timeout = request.framing.timeout,
                 .fields = std::move(request.fields),
                 .peer = std::move(request.peer)};
  const auto call = std::make_shared<ConnectCall>(method, shard, std::move(head), request.framing,
                                                  std::move(asks), std::move(done));
  call->Guard([&] {
    auto bytes = RequestOf(request.framing, std::move(request.body), max_bytes);
    if (auto* error = std::get_if<UnaryError>(&bytes)) return call->Fail(std::move(*error));
    method.serve(*call, request.framing.codec, std::get<std::string>(bytes));
  });
}

}  // namespace crier
