// Http2Connection: heads, trailers and statuses.
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "server/base/concat.h"
#include "server/grpc/http2_connection.h"

namespace crier {
namespace {

nghttp2_nv Field(std::string_view name, std::string_view value) {
  return {.name = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          .value = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())),
          .namelen = name.size(),
          .valuelen = value.size(),
          .flags = NGHTTP2_NV_FLAG_NONE};
}

std::string_view View(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

void AddAll(const std::vector<std::pair<std::string, std::string>>& added,
            std::vector<nghttp2_nv>* fields) {
  for (const auto& [name, value] : added) fields->push_back(Field(name, value));
}

// gRPC's doc/PROTOCOL-HTTP2.md: binary metadata should be sent without padding.
std::string Base64Unpadded(std::string_view bytes) {
  std::string text = absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
  while (text.ends_with('=')) text.pop_back();
  return text;
}

// The fields of a status. Each refers to `status` or to members of this object.
class StatusFields {
 public:
  // A message may quote what the client has sent. With this a response's head is one frame.
  static constexpr size_t kMostMessageBytes = 1024;

  explicit StatusFields(const GrpcStatus& status)
      : code_(std::to_string(status.code)),
        message_(PercentEncoded(status.message.substr(0, kMostMessageBytes))),
        details_(Base64Unpadded(status.details)),
        pushback_(status.retry_after ? std::to_string(status.retry_after->count()) : "") {}

  void AddTo(std::vector<nghttp2_nv>* fields) const {
    fields->push_back(Field("grpc-status", code_));
    if (!message_.empty()) fields->push_back(Field("grpc-message", message_));
    if (!details_.empty()) fields->push_back(Field("grpc-status-details-bin", details_));
    if (!pushback_.empty()) fields->push_back(Field("grpc-retry-pushback-ms", pushback_));
  }

 private:
  const std::string code_;
  const std::string message_;
  const std::string details_;
  const std::string pushback_;
};

// Appends a frame of HPACK that uses no table, so that nghttp2 need not know of it.
void AppendWholeResponse(int32_t stream, const GrpcStatus& status, std::string* out) {
  const StatusFields trailers(status);
  std::vector<nghttp2_nv> fields = {Field("content-type", "application/grpc")};
  trailers.AddTo(&fields);
  std::string block(1, '\x88');  // RFC 7541, appendix A: ":status" "200"
  const auto append = [&block](const uint8_t* text, size_t size) {
    // RFC 7541, section 5.1, with a prefix of seven bits.
    size_t rest = size;
    if (rest >= 127) {
      block.push_back(127);
      for (rest -= 127; rest >= 128; rest /= 128) {
        block.push_back(static_cast<char>(rest % 128 + 128));
      }
    }
    block.push_back(static_cast<char>(rest));
    block.append(View(text, size));
  };
  for (const nghttp2_nv& field : fields) {
    block.push_back('\0');  // section 6.2.2: a literal that is not indexed
    append(field.name, field.namelen);
    append(field.value, field.valuelen);
  }
  const auto big_endian = [out](uint32_t number, int bytes) {
    while (bytes > 0) out->push_back(static_cast<char>(number >> 8 * --bytes));
  };
  big_endian(static_cast<uint32_t>(block.size()), 3);
  out->push_back(NGHTTP2_HEADERS);
  out->push_back(NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM);
  big_endian(static_cast<uint32_t>(stream), 4);
  out->append(block);
}

}  // namespace

void Http2Connection::SubmitHead(Call* call) {
  call->responded = true;
  const std::string http_status = std::to_string(call->http_status());
  std::vector<nghttp2_nv> fields = {Field(":status", http_status),
                                    Field("content-type", "application/grpc"),
                                    Field("grpc-accept-encoding", kAcceptedEncodings)};
  const Call::AddedFields* added = call->added();
  if (call->EndsAfter(0) && (added == nullptr || added->head.empty())) {
    const StatusFields status(call->status());
    status.AddTo(&fields);
    if (added != nullptr) AddAll(added->trailers, &fields);
    nghttp2_submit_response(session_, call->id(), fields.data(), fields.size(), nullptr);
    return;
  }
  if (added != nullptr) AddAll(added->head, &fields);
  const nghttp2_data_provider data = DataOf(call);
  nghttp2_submit_response(session_, call->id(), fields.data(), fields.size(), &data);
}

void Http2Connection::SubmitTrailers(Call* call) {
  std::vector<nghttp2_nv> fields;
  const StatusFields status(call->status());
  status.AddTo(&fields);
  if (call->added() != nullptr) AddAll(call->added()->trailers, &fields);
  nghttp2_submit_trailer(session_, call->id(), fields.data(), fields.size());
}

int Http2Connection::RefuseHead(Call* call, int32_t stream) {
  Violated(GrpcViolation::kHeaderList);
  GrpcStatus status = ToGrpcStatus(
      Outcome::kMessageTooBig, Concat({"metadata of more than ",
                                       std::to_string(max_metadata_bytes()), " bytes, the limit"}));
  uint32_t code = NGHTTP2_ENHANCE_YOUR_CALM;
  if (!call->responded) {
    AppendWholeResponse(stream, status, &refusals_);
    code = NGHTTP2_NO_ERROR;  // as behind every status, where the client may still send
  }
  call->OnRefused(std::move(status));
  nghttp2_session_set_stream_user_data(session_, stream, nullptr);
  Drop(call, Outcome::kMessageTooBig);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, code);
  // What follows is decoded, because the decoder's state belongs to all streams, but it is neither
  // checked nor shown.
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

}  // namespace crier
