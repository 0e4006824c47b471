// Methods of crier.v1.Admin, called at the other nodes of a cluster: so that one node answers for
// all. Each node answers with the method that it serves itself.
#ifndef CRIER_SERVER_ADMIN_OTHER_NODES_H_
#define CRIER_SERVER_ADMIN_OTHER_NODES_H_

#include <google/protobuf/message.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "crier/cluster/node.pb.h"
#include "server/engine/engine.h"
#include "server/service/unary_call.h"
#include "server/service/unary_methods.h"

namespace crier {

// Names a request's own node, whatever it is called.
inline constexpr std::string_view kThisNode = ".";

// This node's name in the cluster. Empty: there is no cluster. Thread-safe.
std::string NodeName(Engine& engine);
// The request is about this node alone, or about all of them.
bool IsHere(Engine& engine, std::string_view node);
bool IsEverywhere(Engine& engine, std::string_view node);

// What nodes have answered.
struct NodeResults {
  struct Result {
    std::string node;
    cluster::CallResult result;
  };
  bool unavailable = false;     // Redis is away: nobody was asked
  std::vector<Result> results;  // in the order of the nodes' names
  size_t silent = 0;            // nodes that have not answered
};

// Calls a method at one other node, or where `node` is empty, at all others: `request` names
// kThisNode. `done` runs once, later or from inside, on the thread of the call's shard, unless the
// call is over by then. `path`: "/crier.v1.Admin/...", or one of the others (cluster::Call).
void AskOtherNodes(Engine* engine, UnaryCall& call, const std::string& node, std::string path,
                   const std::string& request,
                   absl::AnyInvocable<void(UnaryCall& call, NodeResults results)> done);

// The same at one node, whose answer is the call's. `prototype`: of the response's type.
void PassOn(Engine* engine, UnaryCall& call, const std::string& node, std::string path,
            const google::protobuf::Message& request, const google::protobuf::Message& prototype);

// Why a call fails that needs other nodes.
UnaryError RedisIsAway();
UnaryError NodesAreSilent(size_t silent);
UnaryError ErrorOf(const cluster::CallResult& result);

// The path of a cluster::TopicsQuestion.
inline constexpr std::string_view kTopicsPath = "topics";
// Answers one, with the bytes of a v1::ListTopicsResponse, on the thread of `asker`.
void AnswerTopics(Engine* engine, Shard* asker, const cluster::TopicsQuestion& question,
                  absl::AnyInvocable<void(std::string response)> answer);

// Answers what other nodes ask from now on, until the engine stops. Both outlive that.
void AnswerOtherNodes(Engine* engine, const UnaryMethods* methods);

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_OTHER_NODES_H_
