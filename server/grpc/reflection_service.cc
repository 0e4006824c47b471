#include "server/grpc/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "server/base/concat.h"

namespace crier {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
// Both versions are the same on the wire.
using grpc::reflection::v1::FileDescriptorResponse;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

void SetNotFound(std::string_view what, ServerReflectionResponse* response) {
  response->mutable_error_response()->set_error_code(static_cast<int>(GrpcCode::kNotFound));
  response->mutable_error_response()->set_error_message(Concat({"no ", what, " here"}));
}

// The file and everything that it imports, directly or not: clients need all of it.
void AddFile(const FileDescriptor* file, absl::flat_hash_set<const FileDescriptor*>* seen,
             FileDescriptorResponse* response) {
  if (!seen->insert(file).second) return;
  FileDescriptorProto proto;
  file->CopyTo(&proto);
  response->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) AddFile(file->dependency(i), seen, response);
}

void SetFile(const FileDescriptor* file, std::string_view what,
             ServerReflectionResponse* response) {
  if (file == nullptr) return SetNotFound(what, response);
  absl::flat_hash_set<const FileDescriptor*> seen;
  AddFile(file, &seen, response->mutable_file_descriptor_response());
}

// About the most bytes of an answer.
constexpr size_t kAnswerRoom = 32 << 10;

class Reflection final : public CallHandler {
 public:
  Reflection(Call* call, const std::vector<std::string>* services)
      : call_(*call), services_(*services) {}

  void OnMessage(std::string_view message) override {
    ServerReflectionRequest request;
    if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      call_.Finish(
          ToGrpcStatus(Outcome::kInvalidMessage, "the request is not a ServerReflectionRequest"));
      return;
    }
    // The next request is read when this one's answer is gone.
    call_.PauseReading();
    call_.AwaitRoom(kAnswerRoom, [this, asked = std::move(request)]() mutable {
      ServerReflectionResponse response;
      Answer(asked, &response);
      response.set_valid_host(asked.host());
      *response.mutable_original_request() = std::move(asked);
      call_.Send(response.SerializeAsString());
    });
  }
  void OnAllSent() override { call_.ResumeReading(); }
  void OnHalfClose() override { call_.Finish({}); }
  void OnShutdown() override { call_.Finish(ToGrpcStatus(Outcome::kShutdown)); }

 private:
  void Answer(const ServerReflectionRequest& request, ServerReflectionResponse* response) const {
    const DescriptorPool& pool = *DescriptorPool::generated_pool();
    switch (request.message_request_case()) {
      case ServerReflectionRequest::kListServices:
        for (const std::string& service : services_) {
          response->mutable_list_services_response()->add_service()->set_name(service);
        }
        return;
      case ServerReflectionRequest::kFileByFilename:
        return SetFile(pool.FindFileByName(request.file_by_filename()),
                       Concat({"file ", request.file_by_filename()}), response);
      case ServerReflectionRequest::kFileContainingSymbol:
        return SetFile(pool.FindFileContainingSymbol(request.file_containing_symbol()),
                       Concat({"symbol ", request.file_containing_symbol()}), response);
      case ServerReflectionRequest::kFileContainingExtension: {
        const auto& asked = request.file_containing_extension();
        const auto* type = pool.FindMessageTypeByName(asked.containing_type());
        const auto* extension =
            type == nullptr ? nullptr : pool.FindExtensionByNumber(type, asked.extension_number());
        return SetFile(extension == nullptr ? nullptr : extension->file(),
                       Concat({"extension ", std::to_string(asked.extension_number()), " of ",
                               asked.containing_type()}),
                       response);
      }
      case ServerReflectionRequest::kAllExtensionNumbersOfType: {
        const std::string& name = request.all_extension_numbers_of_type();
        const auto* type = pool.FindMessageTypeByName(name);
        if (type == nullptr) return SetNotFound(Concat({"message ", name}), response);
        std::vector<const google::protobuf::FieldDescriptor*> extensions;
        pool.FindAllExtensions(type, &extensions);
        auto* numbers = response->mutable_all_extension_numbers_response();
        numbers->set_base_type_name(name);
        for (const auto* extension : extensions) numbers->add_extension_number(extension->number());
        return;
      }
      case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
        break;
    }
    response->mutable_error_response()->set_error_code(static_cast<int>(GrpcCode::kUnimplemented));
    response->mutable_error_response()->set_error_message("a request that asks for nothing known");
  }

  Call& call_;
  const std::vector<std::string>& services_;
};

}  // namespace

void RegisterReflection(std::vector<std::string> services, MethodTable* methods) {
  for (const auto* file :
       {grpc::reflection::v1::ServerReflectionRequest::descriptor()->file(),
        grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file()}) {
    services.push_back(file->service(0)->full_name());
  }
  // Shared, because the table copies its entries.
  auto listed = std::make_shared<std::vector<std::string>>(std::move(services));
  for (const char* package : {"grpc.reflection.v1", "grpc.reflection.v1alpha"}) {
    methods->Add(Concat({"/", package, ".ServerReflection/ServerReflectionInfo"}),
                 [listed](Call* call) { return std::make_unique<Reflection>(call, listed.get()); });
  }
}

}  // namespace crier
