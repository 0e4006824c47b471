// Lists that are read page by page from one node of a cluster after the other, in the order of
// their names.
#ifndef CRIER_SERVER_ADMIN_NODE_PAGES_H_
#define CRIER_SERVER_ADMIN_NODE_PAGES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "server/admin/admin_methods.h"
#include "server/admin/other_nodes.h"
#include "server/engine/engine.h"
#include "server/service/unary_call.h"

namespace crier {

inline constexpr std::string_view kWrongPageToken =
    "page_token is not what a page before has given as next_page_token";

// Where the next page is: on which node, and where there. As a page_token: "NODE/TOKEN".
struct NodePage {
  std::string node;
  std::string token;

  // Empty text: the first node's first page. nullopt: it is not of that form.
  static std::optional<NodePage> Parse(std::string_view text);
  std::string Text() const;
};

// The nodes that there are now, this one too, in the order of their names.
struct NodeNames {
  bool unavailable = false;  // Redis is away
  std::vector<std::string> names;
  size_t silent = 0;
};
void AskForNodes(Engine* engine, UnaryCall& call,
                 absl::AnyInvocable<void(UnaryCall& call, NodeNames nodes)> done);

// Where `page` is now: its node may have gone since, and then the next one follows. An empty node:
// there are no more.
NodePage FindPage(const NodeNames& nodes, NodePage page);
// What follows a page at `at` whose own next token is `next`, as a page_token.
std::string NextPage(const NodeNames& nodes, const NodePage& at, std::string_view next);

// A page of such a list: by the method `name`, whose requests and responses have page tokens.
// `list_here` is called as list_here(context, call, request, answer) where the page is of this
// node, and calls answer(call, response). `done` is called as done(call, node, response), with the
// node whose page it is; or the call fails.
template <class Response, class Request, class ListHere, class Done>
void ListOverNodes(const AdminContext& context, UnaryCall& call, const char* name, Request request,
                   ListHere list_here, Done done) {
  auto from = NodePage::Parse(request.page_token());
  if (!from) return call.Fail(Outcome::kInvalidMessage, kWrongPageToken);
  auto list = [context, name, list_here, request = std::move(request), from = *from,
               done = std::move(done)](UnaryCall& asked, NodeNames nodes) mutable {
    if (nodes.unavailable) return asked.Fail(RedisIsAway());
    const NodePage page = FindPage(nodes, from);
    // All nodes behind that place have gone.
    if (page.node.empty()) return done(asked, std::string(), Response());
    request.set_node(std::string(kThisNode));
    request.set_page_token(page.token);
    Engine* const engine = context.engine;
    auto answer = [page, nodes, done = std::move(done)](UnaryCall& answered,
                                                        Response response) mutable {
      response.set_next_page_token(NextPage(nodes, page, response.next_page_token()));
      response.set_silent_nodes(static_cast<uint32_t>(nodes.silent));
      done(answered, page.node, std::move(response));
    };
    if (IsHere(*engine, page.node)) return list_here(context, asked, request, std::move(answer));
    AskOtherNodes(engine, asked, page.node, PathOf(name), request.SerializeAsString(),
                  [answer = std::move(answer)](UnaryCall& answered, NodeResults results) mutable {
                    if (results.unavailable) return answered.Fail(RedisIsAway());
                    if (results.silent > 0) return answered.Fail(NodesAreSilent(results.silent));
                    // It has gone since: the page is empty.
                    if (results.results.empty()) return answer(answered, Response());
                    const cluster::CallResult& result = results.results.front().result;
                    if (result.code() != 0) return answered.Fail(ErrorOf(result));
                    Response response;
                    if (!response.ParseFromString(result.response())) {
                      return answered.Fail(Outcome::kInternal);
                    }
                    answer(answered, std::move(response));
                  });
  };
  AskForNodes(context.engine, call, std::move(list));
}

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_NODE_PAGES_H_
