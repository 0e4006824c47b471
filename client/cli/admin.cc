#include <google/protobuf/util/json_util.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "client/admin_client.h"
#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/option_parser.h"

namespace crier::cli {
namespace {

std::string JsonOf(const google::protobuf::Message& message, bool lines) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  options.add_whitespace = lines;
  std::string json;
  // It fails for messages that hold an Any of an unknown type; none of these does.
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) return "{}";
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

}  // namespace

int Admin(const std::vector<std::string>& arguments) {
  ConnectFlags flags;
  flags.grpc = std::string(kAdminAddress);
  OptionParser parser(
      "crier admin [options] METHOD [JSON]",
      "Calls a method of a server's administration (crier.v1.Admin), and prints the answer as\n"
      "JSON; of WatchStats and WatchEvents one line each. The request is JSON too, {} without it:\n"
      "  crier admin ListSessions '{\"filter\": {\"user_id\": \"ann\"}, \"page_size\": 10}'\n"
      "  crier admin Disconnect '{\"user_id\": \"ann\", \"detail\": \"maintenance\"}'\n"
      "The methods are " +
          client::AdminClient::MethodNames() +
          ".\n"
          "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 cannot connect.");
  AddAdminFlags(&flags, &parser);
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (positional.empty() || positional.size() > 2) {
    std::cerr << "crier admin: a METHOD is needed, and one JSON may follow; the methods are "
              << client::AdminClient::MethodNames() << "\n";
    return kUsage;
  }
  const auto* method = client::AdminClient::Find(positional[0]);
  if (method == nullptr) {
    std::cerr << "crier admin: unknown method \"" << positional[0] << "\"; the methods are "
              << client::AdminClient::MethodNames() << "\n";
    return kUsage;
  }
  const std::unique_ptr<google::protobuf::Message> request(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(method->input_type())
          ->New());
  if (positional.size() == 2) {
    const auto status = google::protobuf::util::JsonStringToMessage(positional[1], request.get());
    if (!status.ok()) {
      std::cerr << "crier admin: the JSON is not a " << method->input_type()->full_name() << ": "
                << status.message() << "\n";
      return kUsage;
    }
  }
  auto client = ConnectAdmin(flags);
  if (!client.ok()) return Complain("admin", client.status());
  const absl::Status status =
      client->Call(*method, *request, [method](const google::protobuf::Message& response) {
        std::cout << JsonOf(response, !method->server_streaming()) << std::flush;
        return std::cout.good();
      });
  return status.ok() ? kOk : Complain("admin", status);
}

}  // namespace crier::cli
