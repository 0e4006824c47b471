// The unary methods that a server has, by name. Each is written once, and every surface serves it:
// server/grpc, and server/unary_http for HTTP.
//
//   methods.Add<v1::PublishRequest, v1::PublishResponse>(
//       "/crier.v1.Messaging/Publish", [](UnaryCall& call, v1::PublishRequest request) { ... });
#ifndef CRIER_SERVER_SERVICE_UNARY_METHODS_H_
#define CRIER_SERVER_SERVICE_UNARY_METHODS_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/string_map.h"
#include "server/metrics/metrics.h"
#include "server/service/unary_call.h"
#include "server/service/unary_codec.h"

namespace crier {

struct UnaryMethod {
  // Decodes the request and hands it to the method's handler; or fails the call. Runs on: the
  // thread of the call's shard, by UnaryCall::Guard or the like.
  using Serve = std::function<void(UnaryCall& call, UnaryCodec codec, std::string_view request)>;

  std::string path;  // "/package.Service/Method"
  Serve serve;
  // Of the type of its responses.
  const google::protobuf::Message& response_prototype;
  bool wants_fields;
  GrpcMethod metric = GrpcMethod::kUnknown;  // what its calls are counted as
};

// Filled before a server starts with it. Thread-safe from then on.
class UnaryMethods {
 public:
  // Whether a method's calls keep the fields of their requests and the client's address
  // (UnaryHead). Most methods need no more than the caller.
  enum class Fields { kDrop, kKeep };

  // `handler` is called as handler(UnaryCall& call, Request request), on the thread of the call's
  // shard. REQUIRES: `path` names a unary method of a linked service, with these types, that was
  // not added before.
  template <class Request, class Response, class Handler>
  void Add(std::string path, Handler handler, Fields fields = Fields::kDrop) {
    Insert({.path = std::move(path),
            .serve =
                [handler = std::move(handler)](UnaryCall& call, UnaryCodec codec,
                                               std::string_view bytes) {
                  Request request;
                  if (auto error = DecodeRequest(codec, bytes, &request)) {
                    return call.Fail(*std::move(error));
                  }
                  handler(call, std::move(request));
                },
            .response_prototype = Response::default_instance(),
            .wants_fields = fields == Fields::kKeep},
           Request::descriptor());
  }

  // Null: there is no such method.
  const UnaryMethod* Find(std::string_view path) const;

  // All of them, and the full names of their services: in the order in which they were added.
  const std::vector<std::unique_ptr<const UnaryMethod>>& all() const { return all_; }
  const std::vector<std::string>& services() const { return services_; }
  // The service of which a path names a method, be there one or not; null: it has none here.
  const std::string* ServiceOf(std::string_view path) const;

 private:
  void Insert(UnaryMethod method, const google::protobuf::Descriptor* request);

  std::vector<std::unique_ptr<const UnaryMethod>> all_;
  StringMap<const UnaryMethod*> by_path_;
  std::vector<std::string> services_;
};

}  // namespace crier

#endif  // CRIER_SERVER_SERVICE_UNARY_METHODS_H_
