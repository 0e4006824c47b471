// crier.v1.Admin: what is about the server as a whole.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "crier/v1/admin.pb.h"
#include "server/admin/admin_methods.h"
#include "server/admin/other_nodes.h"
#include "server/admin/stats.h"
#include "server/base/concat.h"
#include "server/service/messaging_methods.h"

namespace crier {
namespace {

std::string LevelName(spdlog::level::level_enum level) {
  const spdlog::string_view_t name = spdlog::level::to_string_view(level);
  return {name.data(), name.size()};
}

void GetServerInfo(const AdminContext& context, UnaryCall& call, v1::GetServerInfoRequest) {
  v1::ServerInfo info;
  if (context.options->describe) context.options->describe(&info);
  Engine& engine = *context.engine;
  info.set_shards(static_cast<uint32_t>(engine.shard_count()));
  info.set_log_level(LevelName(spdlog::get_level()));
  int64_t sessions = 0;
  for (size_t i = 0; i < engine.shard_count(); ++i) {
    for (const auto& transport : engine.metrics().shard(i).transports) {
      sessions += transport.sessions.value();
    }
  }
  info.set_sessions(static_cast<uint64_t>(sessions));
  info.set_node(NodeName(engine));
  info.set_connections(static_cast<uint64_t>(engine.metrics().connections().open.value()));
  call.Respond(info);
}

// This node.
v1::ListNodesResponse ListHere(const AdminContext& context) {
  v1::ServerInfo server;
  if (context.options->describe) context.options->describe(&server);
  v1::ListNodesResponse response;
  v1::NodeInfo& node = *response.add_nodes();
  node.set_node(NodeName(*context.engine));
  node.set_version(server.version());
  *node.mutable_started_at() = server.started_at();
  node.set_draining(server.draining());
  node.set_http_listen(server.http_listen());
  node.set_grpc_listen(server.grpc_listen());
  node.set_admin_listen(server.admin_listen());
  DescribeStats(*context.engine, node.mutable_stats());
  return response;
}

void ListNodes(const AdminContext& context, UnaryCall& call, v1::ListNodesRequest request) {
  v1::ListNodesResponse response = ListHere(context);
  response.mutable_nodes(0)->set_asked(!call.head().by_node);
  if (!IsEverywhere(*context.engine, request.node())) return call.Respond(response);
  request.set_node(std::string(kThisNode));
  AskOtherNodes(
      context.engine, call, /*node=*/{}, PathOf("ListNodes"), request.SerializeAsString(),
      [response](UnaryCall& asked, const NodeResults& results) mutable {
        if (results.unavailable) return asked.Fail(RedisIsAway());
        size_t silent = results.silent;
        for (const auto& [name, result] : results.results) {
          v1::ListNodesResponse there;
          if (result.code() != 0 || !there.ParseFromString(result.response()) ||
              there.nodes().empty()) {
            ++silent;
            continue;
          }
          response.add_nodes()->Swap(there.mutable_nodes(0));
        }
        std::sort(response.mutable_nodes()->begin(), response.mutable_nodes()->end(),
                  [](const v1::NodeInfo& a, const v1::NodeInfo& b) { return a.node() < b.node(); });
        response.set_silent_nodes(static_cast<uint32_t>(silent));
        asked.Respond(response);
      });
}

void Publish(const AdminContext& context, UnaryCall& call, v1::PublishRequest request) {
  if (!request.has_message()) {
    return call.Fail(Outcome::kInvalidMessage, "message is missing: set it");
  }
  v1::Message& message = *request.mutable_message();
  const bool direct = message.action_type() == v1::DIRECT;
  std::string topic = message.topic();
  std::string what =
      Concat({direct ? "to user " : "to topic ", Quoted(direct ? message.to() : topic), ", ",
              std::to_string(message.body().size()), " bytes"});
  context.engine->Publish(call.shard(), std::move(message),
                          call.Later([topic = std::move(topic), what = std::move(what)](
                                         UnaryCall& asked, const PublishResult& result) mutable {
                            LogAction("Publish", asked.caller(), asked.head().peer,
                                      Concat({what, ": ", Info(result.outcome).name}));
                            AnswerPublish(asked, std::move(topic), result);
                          }));
}

void Drain(const AdminContext& context, UnaryCall& call, v1::DrainRequest) {
  const int64_t milliseconds = context.options->drain_time.count();
  LogAction("Drain", call.caller(), call.head().peer, absl::StrCat("over ", milliseconds, " ms"));
  v1::DrainResponse response;
  response.mutable_drain_time()->set_seconds(milliseconds / 1000);
  response.mutable_drain_time()->set_nanos(static_cast<int32_t>(milliseconds % 1000) * 1'000'000);
  call.Respond(response);
  if (context.options->drain) context.options->drain();
}

void SetLogLevel(const AdminContext&, UnaryCall& call, v1::SetLogLevelRequest request) {
  const spdlog::level::level_enum level = spdlog::level::from_str(request.level());
  // from_str treats an unknown name as "off".
  if (level == spdlog::level::off && request.level() != "off") {
    return call.Fail(Outcome::kInvalidMessage,
                     "level has to be trace, debug, info, warning, error or off");
  }
  v1::SetLogLevelResponse response;
  response.set_previous(LevelName(spdlog::get_level()));
  // Logged under the level that lets it through.
  const std::string what = Concat({response.previous(), " to ", LevelName(level)});
  if (level <= spdlog::level::info) spdlog::set_level(level);
  LogAction("SetLogLevel", call.caller(), call.head().peer, what);
  spdlog::set_level(level);
  call.Respond(response);
}

}  // namespace

void AddServerMethods(const AdminContext& context, UnaryMethods* methods) {
  AddAdminMethod<v1::GetServerInfoRequest, v1::ServerInfo>(context, methods, "GetServerInfo",
                                                           &GetServerInfo);
  AddAdminMethod<v1::ListNodesRequest, v1::ListNodesResponse>(context, methods, "ListNodes",
                                                              &ListNodes);
  AddAdminMethod<v1::PublishRequest, v1::PublishResponse>(context, methods, "Publish", &Publish);
  AddAdminMethod<v1::DrainRequest, v1::DrainResponse>(context, methods, "Drain", &Drain);
  AddAdminMethod<v1::SetLogLevelRequest, v1::SetLogLevelResponse>(context, methods, "SetLogLevel",
                                                                  &SetLogLevel);
}

void AddAdminMethods(const AdminContext& context, UnaryMethods* methods) {
  AddServerMethods(context, methods);
  AddSessionMethods(context, methods);
  AddTopicMethods(context, methods);
}

}  // namespace crier
