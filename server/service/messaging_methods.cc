#include "server/service/messaging_methods.h"

#include <google/protobuf/io/coded_stream.h>

#include <memory>
#include <string>
#include <utility>

#include "crier/v1/messaging.pb.h"

namespace crier {
namespace {

// The most events that one History call returns (messaging.proto).
constexpr uint32_t kMaxHistoryEvents = 1000;
// About the most bytes of one.
constexpr size_t kHistoryRoom = 1 << 20;

// The size of the first of the log's entries (`repeated Event events = 1`: a tag, a length, the
// event).
size_t FirstEntryBytes(std::string_view entries) {
  google::protobuf::io::CodedInputStream entry(reinterpret_cast<const uint8_t*>(entries.data()),
                                               static_cast<int>(entries.size()));
  uint32_t length = 0;
  if (entry.ReadTag() == 0 || !entry.ReadVarint32(&length)) return entries.size();
  return static_cast<size_t>(entry.CurrentPosition()) + length;
}

// Drops the last events where all are more than `most` bytes. One is left at least.
void Shorten(HistoryRange* range, size_t most) {
  if (range->bytes() <= most) return;
  size_t kept = 0;
  for (size_t i = 0; i < range->events.size(); ++i) {
    std::string_view& run = range->events[i].bytes;
    size_t end = 0;
    while (end < run.size()) {
      const size_t entry = FirstEntryBytes(run.substr(end));
      if (kept > 0 && kept + entry > most) {
        run = run.substr(0, end);
        range->events.resize(i + 1);
        return;
      }
      kept += entry;
      end += entry;
    }
  }
}

// The range as a HistoryResponse: the log's own bytes for the events, then the other fields.
class HistoryMessage final : public PulledMessage {
 public:
  explicit HistoryMessage(HistoryRange range) : range_(std::move(range)) {
    v1::HistoryResponse rest;
    rest.set_epoch(range_.epoch);
    rest.set_tail(range_.tail);
    rest.set_head(range_.head);
    rest_ = rest.SerializeAsString();
    size_ = range_.bytes() + rest_.size();
  }

  size_t size() const override { return size_; }
  void AppendNext(size_t bytes, std::string* out) override {
    while (bytes > 0) {
      const bool in_events = run_ < range_.events.size();
      const std::string_view whole = in_events ? range_.events[run_].bytes : rest_;
      const std::string_view part = whole.substr(taken_, bytes);
      out->append(part);
      bytes -= part.size();
      taken_ += part.size();
      if (taken_ < whole.size() || !in_events) continue;
      range_.events[run_++].chunk = {};  // which lets go of it
      taken_ = 0;
    }
  }

 private:
  HistoryRange range_;
  std::string rest_;
  size_t size_;
  size_t run_ = 0;
  size_t taken_ = 0;  // of that run, or of the rest
};

void Publish(Engine& engine, UnaryCall& call, v1::PublishRequest request) {
  if (!request.has_message()) {
    return call.Fail(Outcome::kInvalidMessage, "message is missing: set it");
  }
  v1::Message& message = *request.mutable_message();
  if (message.user_id().empty()) message.set_user_id(call.caller().user_id.str());
  std::string topic = message.topic();
  engine.Publish(
      call.shard(), std::move(message),
      call.Later([topic = std::move(topic)](UnaryCall& asked, const PublishResult& result) mutable {
        AnswerPublish(asked, std::move(topic), result);
      }),
      call.caller().grant_or_null());
}

void History(Engine& engine, UnaryCall& call, v1::HistoryRequest request) {
  const uint32_t wanted = request.max_events();
  const uint32_t max_events =
      wanted == 0 || wanted > kMaxHistoryEvents ? kMaxHistoryEvents : wanted;
  // Not before the caller takes it: what waits for it meanwhile is the log itself.
  call.AwaitRoom(
      kHistoryRoom, [&engine, request = std::move(request), max_events](UnaryCall& asked) mutable {
        const auto refusal =
            engine.History(asked.shard(), std::move(*request.mutable_topic()), request.from(),
                           max_events, asked.Later([](UnaryCall& answered, HistoryRange range) {
                             if (range.outcome != Outcome::kOk) {
                               return answered.Fail(range.outcome, Info(range.outcome).text);
                             }
                             Shorten(&range, answered.response_limit());
                             answered.Respond(std::make_unique<HistoryMessage>(std::move(range)));
                           }),
                           asked.caller().grant_or_null());
        if (refusal) asked.Fail(ErrorOf(*refusal));
      });
}

}  // namespace

void AnswerPublish(UnaryCall& call, std::string topic, const PublishResult& result) {
  if (result.outcome != Outcome::kOk) return call.Fail(result.outcome, result.detail);
  v1::PublishResponse response;
  response.set_topic(std::move(topic));
  response.set_epoch(result.epoch);
  response.set_offset(result.offset);
  response.set_recipients(result.recipients);
  response.set_duplicate(result.duplicate);
  call.Respond(response);
}

void AddMessagingMethods(Engine* engine, UnaryMethods* methods) {
  methods->Add<v1::PublishRequest, v1::PublishResponse>(
      "/crier.v1.Messaging/Publish", [engine](UnaryCall& call, v1::PublishRequest request) {
        Publish(*engine, call, std::move(request));
      });
  methods->Add<v1::HistoryRequest, v1::HistoryResponse>(
      "/crier.v1.Messaging/History", [engine](UnaryCall& call, v1::HistoryRequest request) {
        History(*engine, call, std::move(request));
      });
}

}  // namespace crier
