#include "server/service/unary_methods.h"

#include <algorithm>
#include <cassert>

namespace crier {
namespace {

// "package.Service" of "/package.Service/Method"; empty: the path has another form.
std::string_view ServiceName(std::string_view path) {
  const size_t end = path.rfind('/');
  return end == path.npos || end == 0 ? std::string_view() : path.substr(1, end - 1);
}

// As the descriptors have it.
[[maybe_unused]] bool IsDeclared(const UnaryMethod& method,
                                 const google::protobuf::Descriptor* request) {
  std::string name = method.path.substr(1);
  std::replace(name.begin(), name.end(), '/', '.');
  const auto* declared = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
  return declared != nullptr && !declared->client_streaming() && !declared->server_streaming() &&
         declared->input_type() == request &&
         declared->output_type() == method.response_prototype.GetDescriptor();
}

}  // namespace

void UnaryMethods::Insert(UnaryMethod method, const google::protobuf::Descriptor* request) {
  assert(IsDeclared(method, request));
  assert(Find(method.path) == nullptr);
  static_cast<void>(request);
  const std::string_view service = ServiceName(method.path);
  method.metric = GrpcMethodOf(method.path);
  if (ServiceOf(method.path) == nullptr) services_.emplace_back(service);
  all_.push_back(std::make_unique<const UnaryMethod>(std::move(method)));
  by_path_.insert_or_assign(all_.back()->path, all_.back().get());
}

const UnaryMethod* UnaryMethods::Find(std::string_view path) const {
  const auto it = by_path_.find(path);
  return it == by_path_.end() ? nullptr : it->second;
}

const std::string* UnaryMethods::ServiceOf(std::string_view path) const {
  const auto it = std::find(services_.begin(), services_.end(), ServiceName(path));
  return it == services_.end() ? nullptr : &*it;
}

}  // namespace crier
