// crier.v1.Admin: what is about sessions.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "crier/v1/admin.pb.h"
#include "server/admin/admin_methods.h"
#include "server/admin/node_pages.h"
#include "server/admin/session_info.h"
#include "server/admin/session_walk.h"
#include "server/base/concat.h"

namespace crier {
namespace {

constexpr uint32_t kMostOnPage = 500;
// A call ends then, and the next one goes on: its caller may have left.
constexpr size_t kMostLookedAt = 50'000;
constexpr size_t kMostDetailBytes = 1000;

std::optional<uint64_t> SessionIdOf(const std::string& text) {
  uint64_t id = 0;
  if (!absl::SimpleAtoi(text, &id) || id == 0) return std::nullopt;
  return id;
}

// The sessions of this node.
void ListHere(const AdminContext& context, UnaryCall& call, const v1::ListSessionsRequest& request,
              absl::AnyInvocable<void(UnaryCall& call, v1::ListSessionsResponse response)> done) {
  const auto from = WalkCursor::Parse(request.page_token());
  if (!from) return call.Fail(Outcome::kInvalidMessage, kWrongPageToken);
  const uint32_t wanted = request.page_size();
  const auto most = static_cast<int>(wanted == 0 ? kMostOnPage : std::min(wanted, kMostOnPage));
  auto response = std::make_shared<v1::ListSessionsResponse>();
  WalkSessions(
      context.engine, &call.shard(), *from, kMostLookedAt,
      [response, most, filter = request.filter()](Session& session) {
        if (!Matches(session, filter)) return true;
        DescribeSession(session, response->add_sessions());
        return response->sessions_size() < most;
      },
      call.Later([response, done = std::move(done), node = NodeName(*context.engine)](
                     UnaryCall& asked, const WalkEnd& end) mutable {
        if (end.failed) return asked.Fail(Outcome::kInternal);
        if (end.next) response->set_next_page_token(end.next->Text());
        for (v1::SessionInfo& session : *response->mutable_sessions()) session.set_node(node);
        done(asked, std::move(*response));
      }));
}

void ListSessions(const AdminContext& context, UnaryCall& call, v1::ListSessionsRequest request) {
  if (!IsEverywhere(*context.engine, request.node())) {
    return ListHere(context, call, request,
                    [](UnaryCall& asked, const v1::ListSessionsResponse& response) {
                      asked.Respond(response);
                    });
  }
  ListOverNodes<v1::ListSessionsResponse>(
      context, call, "ListSessions", std::move(request), &ListHere,
      [](UnaryCall& asked, const std::string&, const v1::ListSessionsResponse& response) {
        asked.Respond(response);
      });
}

// Of a session that is not here.
void GetElsewhere(Engine* engine, UnaryCall& call, v1::GetSessionRequest request) {
  request.set_node(std::string(kThisNode));
  AskOtherNodes(engine, call, /*node=*/{}, PathOf("GetSession"), request.SerializeAsString(),
                [](UnaryCall& asked, const NodeResults& results) {
                  if (results.unavailable) return asked.Fail(RedisIsAway());
                  for (const auto& [node, result] : results.results) {
                    v1::SessionDetails details;
                    if (result.code() == 0 && details.ParseFromString(result.response())) {
                      return asked.Respond(details);
                    }
                  }
                  if (results.silent > 0) return asked.Fail(NodesAreSilent(results.silent));
                  asked.Fail(Outcome::kNoRecipient, "there is no such session");
                });
}

void GetSession(const AdminContext& context, UnaryCall& call, v1::GetSessionRequest request) {
  const auto id = SessionIdOf(request.session_id());
  if (!id) return call.Fail(Outcome::kInvalidMessage, "session_id has to be a number from 1 on");
  auto details = std::make_shared<v1::SessionDetails>();
  Engine* const engine = context.engine;
  FindSession(
      engine, &call.shard(), *id,
      [details](Session& session) { DescribeSession(session, details.get()); },
      call.Later([details, engine, request](UnaryCall& asked, bool found) mutable {
        if (found) {
          details->mutable_session()->set_node(NodeName(*engine));
          return asked.Respond(*details);
        }
        if (IsEverywhere(*engine, request.node())) return GetElsewhere(engine, asked, request);
        asked.Fail(Outcome::kNoRecipient, "there is no such session");
      }));
}

// --- Disconnect.

// What a request says that sessions are told, or what is wrong with it.
std::variant<CloseAdvice, Refusal> AdviceOf(const v1::DisconnectRequest& request) {
  const auto wrong = [](std::string_view text) {
    return Refusal{Outcome::kInvalidMessage, std::string(text)};
  };
  CloseAdvice advice;
  if (request.has_retry_after() && request.advice() != v1::DisconnectRequest::RETRY_AFTER) {
    return wrong("retry_after goes with the advice RETRY_AFTER");
  }
  switch (request.advice()) {
    case v1::DisconnectRequest::NONE:
      return advice;
    case v1::DisconnectRequest::RETRY_NOW:
      advice.advice = Advice::kRetryNow;
      advice.retry_after = std::chrono::milliseconds(0);
      return advice;
    case v1::DisconnectRequest::RETRY_AFTER:
      break;
    default:
      return wrong("advice has to be NONE, RETRY_NOW or RETRY_AFTER");
  }
  advice.advice = Advice::kRetryAfterSlot;
  if (!request.has_retry_after()) return advice;
  constexpr int64_t kMostSeconds = 24 * 3600;
  const auto& time = request.retry_after();
  if (time.seconds() < 0 || time.seconds() > kMostSeconds || time.nanos() < 0 ||
      time.nanos() >= 1'000'000'000) {
    return wrong("retry_after has to be from 0 to 24 hours");
  }
  advice.retry_after = std::chrono::milliseconds(time.seconds() * 1000 + time.nanos() / 1'000'000);
  return advice;
}

std::string NameOf(const v1::DisconnectRequest& request) {
  if (request.has_user_id()) return Concat({"user ", Quoted(request.user_id())});
  if (request.has_session_id()) return Concat({"session ", Quoted(request.session_id())});
  if (request.all()) return "all";
  const v1::SessionFilter& filter = request.filter();
  std::string text = "sessions with";
  if (!filter.user_id().empty()) text += Concat({" user=", Quoted(filter.user_id())});
  if (!filter.address().empty()) text += Concat({" address=", Quoted(filter.address())});
  if (filter.transport() != v1::TRANSPORT_UNSPECIFIED) {
    text += Concat({" transport=", filter.transport() == v1::GRPC ? "GRPC" : "WEBSOCKET"});
  }
  if (!filter.topic().empty()) text += Concat({" topic=", Quoted(filter.topic())});
  if (filter.lagging()) text += " lagging";
  return text;
}

// What a walk has to look for, or what is wrong with the request.
std::variant<v1::SessionFilter, Refusal> FilterOf(const v1::DisconnectRequest& request) {
  v1::SessionFilter filter;
  switch (request.sessions_case()) {
    case v1::DisconnectRequest::kUserId:
      filter.set_user_id(request.user_id());
      break;
    case v1::DisconnectRequest::kFilter:
      filter = request.filter();
      break;
    case v1::DisconnectRequest::kAll:
      if (request.all()) return filter;
      break;
    default:
      break;
  }
  // A script whose variable is empty does not end everybody's session.
  if (filter.ByteSizeLong() > 0) return filter;
  return Refusal{Outcome::kInvalidMessage,
                 "say which sessions: session_id, user_id or filter, not empty; or all: true"};
}

// Where the request is about all nodes, the others follow.
void Answer(Engine* engine, UnaryCall& call, const std::string& name, v1::DisconnectRequest request,
            uint64_t disconnected) {
  LogAction("Disconnect", call.caller(), call.head().peer,
            absl::StrCat(name, ": ", disconnected, disconnected == 1 ? " session" : " sessions"));
  v1::DisconnectResponse response;
  response.set_disconnected(disconnected);
  const bool was_the_one = request.has_session_id() && disconnected > 0;
  if (!IsEverywhere(*engine, request.node()) || was_the_one) return call.Respond(response);
  request.set_node(std::string(kThisNode));
  AskOtherNodes(engine, call, /*node=*/{}, PathOf("Disconnect"), request.SerializeAsString(),
                [response](UnaryCall& asked, const NodeResults& results) mutable {
                  // What is done here is done.
                  if (results.unavailable) {
                    UnaryError error = RedisIsAway();
                    error.message +=
                        absl::StrCat("; sessions that were told here: ", response.disconnected());
                    return asked.Fail(std::move(error));
                  }
                  size_t silent = results.silent;
                  for (const auto& [node, result] : results.results) {
                    v1::DisconnectResponse there;
                    const bool fine =
                        result.code() == 0 && there.ParseFromString(result.response());
                    silent += fine ? 0 : 1;
                    response.set_disconnected(response.disconnected() + there.disconnected());
                  }
                  response.set_silent_nodes(static_cast<uint32_t>(silent));
                  asked.Respond(response);
                });
}

bool DisconnectOne(Session& session, const std::string& detail, CloseAdvice advice) {
  SessionTable& sessions = session.shard().sessions();
  if (advice.advice == Advice::kRetryAfterSlot && !advice.retry_after) {
    advice.retry_after = sessions.SlotOf(session.id());
  }
  return sessions.Disconnect(&session, detail, advice);
}

void Disconnect(const AdminContext& context, UnaryCall& call, v1::DisconnectRequest request) {
  auto asked_advice = AdviceOf(request);
  if (const auto* refusal = std::get_if<Refusal>(&asked_advice)) {
    return call.Fail(ErrorOf(*refusal));
  }
  const CloseAdvice advice = std::get<CloseAdvice>(asked_advice);
  if (request.detail().size() > kMostDetailBytes) {
    return call.Fail(Outcome::kInvalidMessage, "detail may be at most 1000 bytes long");
  }
  std::string name = NameOf(request);
  Engine* const engine = context.engine;
  auto count = std::make_shared<uint64_t>(0);
  if (request.has_session_id()) {
    const auto id = SessionIdOf(request.session_id());
    if (!id) return call.Fail(Outcome::kInvalidMessage, "session_id has to be a number from 1 on");
    return FindSession(
        engine, &call.shard(), *id,
        [count, advice, detail = request.detail()](Session& session) {
          *count += DisconnectOne(session, detail, advice) ? 1 : 0;
        },
        call.Later([engine, count, name = std::move(name), request](UnaryCall& asked, bool) {
          Answer(engine, asked, name, request, *count);
        }));
  }
  auto filter = FilterOf(request);
  if (const auto* refusal = std::get_if<Refusal>(&filter)) return call.Fail(ErrorOf(*refusal));
  WalkSessions(
      engine, &call.shard(), {}, std::numeric_limits<size_t>::max(),
      [count, advice, detail = request.detail(),
       wanted = std::get<v1::SessionFilter>(filter)](Session& session) {
        if (Matches(session, wanted)) *count += DisconnectOne(session, detail, advice) ? 1 : 0;
        return true;
      },
      call.Later(
          [engine, count, name = std::move(name), request](UnaryCall& asked, const WalkEnd& end) {
            Answer(engine, asked, end.failed ? Concat({name, " (failed on the way)"}) : name,
                   request, *count);
          }));
}

}  // namespace

void AddSessionMethods(const AdminContext& context, UnaryMethods* methods) {
  AddAdminMethod<v1::ListSessionsRequest, v1::ListSessionsResponse>(context, methods,
                                                                    "ListSessions", &ListSessions);
  AddAdminMethod<v1::GetSessionRequest, v1::SessionDetails>(context, methods, "GetSession",
                                                            &GetSession);
  AddAdminMethod<v1::DisconnectRequest, v1::DisconnectResponse>(context, methods, "Disconnect",
                                                                &Disconnect);
}

}  // namespace crier
