// The unary methods of crier.v1.Admin. Its streams are admin_streams.h.
#ifndef CRIER_SERVER_ADMIN_ADMIN_METHODS_H_
#define CRIER_SERVER_ADMIN_ADMIN_METHODS_H_

#include <string>
#include <string_view>
#include <utility>

#include "server/admin/admin_access.h"
#include "server/admin/admin_options.h"
#include "server/admin/other_nodes.h"
#include "server/base/concat.h"
#include "server/engine/engine.h"
#include "server/service/unary_methods.h"

namespace crier {

// All outlive the calls.
struct AdminContext {
  Engine* engine;
  const AdminOptions* options;
};

// All of them.
void AddAdminMethods(const AdminContext& context, UnaryMethods* methods);

// The parts of that.
void AddServerMethods(const AdminContext& context, UnaryMethods* methods);
void AddSessionMethods(const AdminContext& context, UnaryMethods* methods);
void AddTopicMethods(const AdminContext& context, UnaryMethods* methods);

inline std::string PathOf(std::string_view name) { return Concat({"/crier.v1.Admin/", name}); }

// Adds a method that only administrators may call. `handler` is called as handler(context, call,
// request), where the request does not name another node: such calls are passed on. The calls keep
// the client's address, for the log.
template <class Request, class Response, class Handler>
void AddAdminMethod(const AdminContext& context, UnaryMethods* methods, const char* name,
                    Handler handler) {
  methods->Add<Request, Response>(
      PathOf(name),
      [context, name, handler](UnaryCall& call, Request request) {
        if (const auto refusal = CheckAdmin(call.caller(), context.options->open)) {
          return call.Fail(ErrorOf(*refusal));
        }
        static_cast<void>(name);  // for requests that cannot name a node
        if constexpr (requires { request.node(); }) {
          if (const std::string node = request.node();
              !node.empty() && !IsHere(*context.engine, node)) {
            request.set_node(std::string(kThisNode));
            return PassOn(context.engine, call, node, PathOf(name), request,
                          Response::default_instance());
          }
        }
        handler(context, call, std::move(request));
      },
      UnaryMethods::Fields::kKeep);
}

}  // namespace crier

#endif  // CRIER_SERVER_ADMIN_ADMIN_METHODS_H_
