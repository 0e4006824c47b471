#include "server/admin/node_pages.h"

#include <algorithm>
#include <utility>

#include "server/base/concat.h"

namespace crier {

std::optional<NodePage> NodePage::Parse(std::string_view text) {
  if (text.empty()) return NodePage{};
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return NodePage{.node = std::string(text.substr(0, slash)),
                  .token = std::string(text.substr(slash + 1))};
}

std::string NodePage::Text() const { return Concat({node, "/", token}); }

void AskForNodes(Engine* engine, UnaryCall& call,
                 absl::AnyInvocable<void(UnaryCall& call, NodeNames nodes)> done) {
  AskOtherNodes(engine, call, /*node=*/{}, /*path=*/{}, /*request=*/{},
                [engine, done = std::move(done)](UnaryCall& asked, NodeResults results) mutable {
                  NodeNames nodes{
                      .unavailable = results.unavailable, .names = {}, .silent = results.silent};
                  for (NodeResults::Result& result : results.results) {
                    nodes.names.push_back(std::move(result.node));
                  }
                  nodes.names.push_back(NodeName(*engine));
                  std::sort(nodes.names.begin(), nodes.names.end());
                  done(asked, std::move(nodes));
                });
}

NodePage FindPage(const NodeNames& nodes, NodePage page) {
  const auto found = std::lower_bound(nodes.names.begin(), nodes.names.end(), page.node);
  if (found == nodes.names.end()) return {};
  if (*found == page.node) return page;
  return {.node = *found, .token = {}};
}

std::string NextPage(const NodeNames& nodes, const NodePage& at, std::string_view next) {
  if (!next.empty()) return NodePage{.node = at.node, .token = std::string(next)}.Text();
  const auto following = std::upper_bound(nodes.names.begin(), nodes.names.end(), at.node);
  return following == nodes.names.end() ? std::string()
                                        : NodePage{.node = *following, .token = {}}.Text();
}

}  // namespace crier
