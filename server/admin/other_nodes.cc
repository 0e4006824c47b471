#include "server/admin/other_nodes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/auth/permissions.h"
#include "server/base/concat.h"

namespace crier {
namespace {

// A call that another node makes here: its answer goes there.
class NodeCall final : public UnaryCall {
 public:
  using Answer = absl::AnyInvocable<void(std::string)>;
  // `peer`: the caller's address, and the node that it has called.
  NodeCall(Shard* shard, Caller caller, std::string peer, Answer answer)
      : UnaryCall(shard, {.caller = std::move(caller),
                          .timeout = {},
                          .fields = {},
                          .peer = std::move(peer),
                          .by_node = true}),
        answer_(std::move(answer)) {}

  bool over() const override { return answer_ == nullptr; }
  // Of headers and trailers nothing is passed on.
  void AddHeader(std::string, std::string) override {}
  void AddTrailer(std::string, std::string) override {}

  using UnaryCall::Fail;
  void Respond(const google::protobuf::Message& response) override {
    cluster::CallResult result;
    response.SerializeToString(result.mutable_response());
    Finish(result);
  }
  void Respond(std::unique_ptr<PulledMessage> response) override {
    cluster::CallResult result;
    response->AppendNext(response->size(), result.mutable_response());
    Finish(result);
  }
  void Fail(UnaryError error) override {
    cluster::CallResult result;
    result.set_code(error.code);
    result.set_message(error.message);
    for (auto& detail : error.details) *result.add_details() = std::move(detail);
    Finish(result);
  }
  void AwaitRoom(size_t, absl::AnyInvocable<void(UnaryCall&)> make) override { make(*this); }
  size_t response_limit() const override { return 1 << 20; }

 private:
  void CutOff() noexcept override { answer_ = nullptr; }
  void Finish(const cluster::CallResult& result) {
    if (answer_ == nullptr) return;
    std::exchange(answer_, nullptr)(result.SerializeAsString());
  }

  Answer answer_;
};

// As CheckAdmin has let it pass at the other node.
Caller CallerOf(const cluster::Call& call) {
  Caller caller;
  if (call.user_id().empty()) return caller;
  auto permissions = std::make_shared<Permissions>();
  permissions->admin = true;
  caller.grant = Grant{.user_id = call.user_id(), .permissions = std::move(permissions)};
  return caller;
}

void AnswerCall(Shard* shard, const UnaryMethods& methods, const cluster::Call& asked,
                NodeCall::Answer answer) {
  const auto call =
      std::make_shared<NodeCall>(shard, CallerOf(asked), asked.peer(), std::move(answer));
  const UnaryMethod* const method = methods.Find(asked.path());
  if (method == nullptr) {
    return call->Fail(Outcome::kInvalidMessage, Concat({"this node has no method ", asked.path(),
                                                        ": it may be of another version"}));
  }
  call->Guard([&] { method->serve(*call, UnaryCodec::kProto, asked.request()); });
}

}  // namespace

std::string NodeName(Engine& engine) {
  const SharedBus* const bus = engine.bus().shared();
  return bus == nullptr ? std::string() : bus->node();
}

bool IsHere(Engine& engine, std::string_view node) {
  return node == kThisNode || node == NodeName(engine);
}

bool IsEverywhere(Engine& engine, std::string_view node) {
  return node.empty() && engine.bus().shared() != nullptr;
}

void AskOtherNodes(Engine* engine, UnaryCall& call, const std::string& node, std::string path,
                   const std::string& request,
                   absl::AnyInvocable<void(UnaryCall& call, NodeResults results)> done) {
  cluster::Call asked;
  asked.set_path(std::move(path));
  asked.set_request(request);
  if (const auto& grant = call.caller().grant) asked.set_user_id(grant->user_id);
  asked.set_peer(Concat({call.head().peer, " by way of ", NodeName(*engine)}));
  engine->bus().shared()->AskNodes(
      call.shard(), node, asked.SerializeAsString(),
      call.Later([done = std::move(done)](UnaryCall& answered, NodeAnswers answers) mutable {
        NodeResults results;
        results.unavailable = answers.unavailable;
        results.silent = answers.silent;
        for (NodeAnswer& answer : answers.answers) {
          cluster::CallResult result;
          if (!result.ParseFromString(answer.text)) continue;
          results.results.push_back({.node = std::move(answer.node), .result = std::move(result)});
        }
        std::sort(results.results.begin(), results.results.end(),
                  [](const auto& a, const auto& b) { return a.node < b.node; });
        done(answered, std::move(results));
      }));
}

void PassOn(Engine* engine, UnaryCall& call, const std::string& node, std::string path,
            const google::protobuf::Message& request, const google::protobuf::Message& prototype) {
  const std::string unknown =
      Concat({"there is no node \"", node, "\": ListNodes names those that there are"});
  if (engine->bus().shared() == nullptr) return call.Fail(Outcome::kNoRecipient, unknown);
  AskOtherNodes(engine, call, node, std::move(path), request.SerializeAsString(),
                [&prototype, unknown](UnaryCall& answered, NodeResults results) {
                  if (results.unavailable) return answered.Fail(RedisIsAway());
                  if (results.silent > 0) return answered.Fail(NodesAreSilent(results.silent));
                  if (results.results.empty()) {
                    return answered.Fail(Outcome::kNoRecipient, unknown);
                  }
                  const cluster::CallResult& result = results.results.front().result;
                  if (result.code() != 0) return answered.Fail(ErrorOf(result));
                  const std::unique_ptr<google::protobuf::Message> response(prototype.New());
                  if (!response->ParseFromString(result.response())) {
                    return answered.Fail(Outcome::kInternal);
                  }
                  answered.Respond(*response);
                });
}

UnaryError RedisIsAway() {
  return ErrorOf(
      Outcome::kUnavailable,
      "the cluster's Redis is away, so other nodes cannot be asked; this one answers for "
      "itself: node \".\"",
      Advice::kRetryNow, std::nullopt);
}

UnaryError NodesAreSilent(size_t silent) {
  return ErrorOf(Outcome::kUnavailable,
                 absl::StrCat(silent, silent == 1 ? " node has" : " nodes have",
                              " not answered within two seconds"),
                 Advice::kRetryNow, std::nullopt);
}

UnaryError ErrorOf(const cluster::CallResult& result) {
  return {.code = result.code(),
          .message = result.message(),
          .details = {result.details().begin(), result.details().end()}};
}

void AnswerOtherNodes(Engine* engine, const UnaryMethods* methods) {
  SharedBus* const bus = engine->bus().shared();
  if (bus == nullptr) return;
  bus->SetAnswerer([engine, methods](Shard& shard, const std::string& question,
                                     absl::AnyInvocable<void(std::string)> answer) {
    cluster::Call call;
    if (!call.ParseFromString(question)) return;
    if (call.path().empty()) return answer(cluster::CallResult().SerializeAsString());
    if (call.path() != kTopicsPath) return AnswerCall(&shard, *methods, call, std::move(answer));
    cluster::TopicsQuestion about;
    if (!about.ParseFromString(call.request())) return;
    AnswerTopics(engine, &shard, about, [answer = std::move(answer)](std::string response) mutable {
      cluster::CallResult result;
      result.set_response(std::move(response));
      answer(result.SerializeAsString());
    });
  });
}

}  // namespace crier
