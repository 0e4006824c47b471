#include "server/unary_http/connect_protocol.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "server/base/concat.h"
#include "server/base/inflate.h"
#include "server/codec/json_text.h"

namespace crier {
namespace {

namespace util = google::protobuf::util;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kProto = "application/proto";

// gRPC's codes: by which names the protocol knows them, and as which status of HTTP
// (connectrpc.com/docs/protocol, "Error Codes").
struct Code {
  std::string_view name;
  unsigned status;
};
constexpr std::array<Code, 17> kCodes = {{{"", 200},
                                          {"canceled", 499},
                                          {"unknown", 500},
                                          {"invalid_argument", 400},
                                          {"deadline_exceeded", 504},
                                          {"not_found", 404},
                                          {"already_exists", 409},
                                          {"permission_denied", 403},
                                          {"resource_exhausted", 429},
                                          {"failed_precondition", 400},
                                          {"aborted", 409},
                                          {"out_of_range", 400},
                                          {"unimplemented", 501},
                                          {"internal", 500},
                                          {"unavailable", 503},
                                          {"data_loss", 500},
                                          {"unauthenticated", 401}}};

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

// Standard base64 without padding, as the protocol has it.
std::string Base64(const std::string& bytes) {
  std::string text = absl::Base64Escape(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

// The media type without its parameters.
std::string_view MediaType(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

UnaryError InvalidArgument(std::string_view text) {
  return ErrorOf(Outcome::kInvalidMessage, text);
}

// Without an outcome in its details, as by gRPC: the limit is the protocol's own, and a suite for
// it wants none.
UnaryError TooLong(size_t limit) {
  return {.code = Info(Outcome::kMessageTooBig).grpc_status,
          .message = Concat(
              {"a request of more than ", std::to_string(limit), " bytes; that is the limit"})};
}

// A detail in the protocol's form. What is in it is said once more, for people, where the program
// knows the type.
void AppendDetail(const google::protobuf::Any& detail, std::string* out) {
  const std::string& url = detail.type_url();
  const std::string name = url.substr(url.rfind('/') + 1);
  *out += R"({"type":)";
  AppendJsonString(name, out);
  *out += Concat({R"(,"value":")", Base64(detail.value()), "\""});
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type != nullptr) {
    const std::unique_ptr<google::protobuf::Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    std::string text;
    if (message->ParseFromString(detail.value()) &&
        util::MessageToJsonString(*message, &text).ok()) {
      *out += Concat({R"(,"debug":)", text});
    }
  }
  *out += '}';
}

}  // namespace

UnaryError DeadlineExceeded() {
  return {.code = 4, .message = "the time that Connect-Timeout-Ms gives is over"};
}

ConnectAnswer TooLongRequest(size_t limit) { return AnswerOf(TooLong(limit)); }

ConnectAnswer AnswerOf(const UnaryError& error) {
  const size_t index = std::min<size_t>(static_cast<size_t>(error.code), kCodes.size() - 1);
  const Code& code = kCodes[index];
  std::string body = Concat({R"({"code":")", code.name, R"(","message":)"});
  AppendJsonString(error.message, &body);
  for (size_t i = 0; i < error.details.size(); ++i) {
    body += i == 0 ? R"(,"details":[)" : ",";
    AppendDetail(error.details[i], &body);
  }
  body += error.details.empty() ? "}\n" : "]}\n";
  return {.status = code.status,
          .code = static_cast<int>(index),
          .content_type = kJson,
          .body = std::move(body),
          .headers = {}};
}

std::variant<ConnectFraming, ConnectAnswer> ReadConnectHead(const ConnectHead& head) {
  ConnectFraming framing;
  const std::string_view type = MediaType(head.content_type);
  if (EqualsIgnoringCase(type, kProto)) {
    framing.codec = UnaryCodec::kProto;
  } else if (!EqualsIgnoringCase(type, kJson)) {
    return ConnectAnswer{
        .status = 415,
        .content_type = "text/plain; charset=utf-8",
        .body = "a call's Content-Type has to be application/json or application/proto\n",
        .headers = {{"Accept-Post", "application/json, application/proto"}}};
  }
  if (!head.protocol_version.empty() && head.protocol_version != "1") {
    return AnswerOf(InvalidArgument("Connect-Protocol-Version has to be 1"));
  }
  if (EqualsIgnoringCase(head.content_encoding, "gzip")) {
    framing.gzip = true;
  } else if (!head.content_encoding.empty() &&
             !EqualsIgnoringCase(head.content_encoding, "identity")) {
    ConnectAnswer answer =
        AnswerOf(UnaryError{.code = 12, .message = "Content-Encoding has to be gzip or identity"});
    answer.headers.emplace_back("Accept-Encoding", "gzip");
    return answer;
  }
  if (!head.timeout_ms.empty()) {
    // At most ten digits, says the protocol.
    uint64_t milliseconds = 0;
    const auto [end, error] =
        std::from_chars(head.timeout_ms.begin(), head.timeout_ms.end(), milliseconds);
    if (error != std::errc() || end != head.timeout_ms.end() || head.timeout_ms.size() > 10) {
      return AnswerOf(InvalidArgument(
          "Connect-Timeout-Ms has to be a number of milliseconds of at most ten digits"));
    }
    framing.timeout = std::chrono::milliseconds(milliseconds);
  }
  return framing;
}

std::variant<std::string, UnaryError> RequestOf(const ConnectFraming& framing, std::string body,
                                                size_t max_bytes) {
  if (framing.gzip && !body.empty()) {
    std::optional<std::string> inflated = InflateWhole(body, CompressedFormat::kGzip, max_bytes);
    if (!inflated) {
      return InvalidArgument("the body is not gzip, which Content-Encoding says it is");
    }
    body = *std::move(inflated);
  }
  if (body.size() > max_bytes) return TooLong(max_bytes);
  return body;
}

ConnectAnswer AnswerOf(const ConnectFraming& framing, const google::protobuf::Message& message) {
  ConnectAnswer answer;
  if (framing.codec == UnaryCodec::kProto) {
    answer.content_type = kProto;
    answer.body = message.SerializeAsString();
  } else {
    const util::Status status = util::MessageToJsonString(message, &answer.body);
    if (!status.ok()) return AnswerOf(ErrorOf(Outcome::kInternal));
  }
  return answer;
}

ConnectAnswer AnswerOf(const ConnectFraming& framing, std::string bytes,
                       const google::protobuf::Message& prototype) {
  if (framing.codec == UnaryCodec::kProto) {
    ConnectAnswer answer;
    answer.content_type = kProto;
    answer.body = std::move(bytes);
    return answer;
  }
  const std::unique_ptr<google::protobuf::Message> message(prototype.New());
  if (!message->ParseFromString(bytes)) return AnswerOf(ErrorOf(Outcome::kInternal));
  return AnswerOf(framing, *message);
}

}  // namespace crier
