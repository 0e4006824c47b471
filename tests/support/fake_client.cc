#include "tests/support/fake_client.h"

#include <google/protobuf/text_format.h>

#include <algorithm>
#include <utility>

namespace crier {
namespace {

class TextLines final : public Encoding {
 public:
  std::string_view name() const override { return "text-lines"; }
  void Append(const v1::Event& event, std::string* out) const override {
    google::protobuf::TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    std::string line;
    printer.PrintToString(event, &line);
    out->append(line).append("\n");
  }
};

}  // namespace

const Encoding& TextLineEncoding() {
  static const TextLines encoding;
  return encoding;
}

FakeClient::FakeClient(Engine* engine, size_t shard, SessionOptions options)
    : engine_(engine), encoding_(options.encoding) {
  options.transport = this;
  session_ = engine->shard(shard).OpenSession(std::move(options));
  engine->RunUntilIdle();
}

FakeClient::~FakeClient() {
  if (session_ != nullptr) Leave();
}

void FakeClient::Send(v1::ClientFrame frame) {
  unread_.push_back(std::move(frame));
  HandOn();
  engine_->RunUntilIdle();
}

void FakeClient::HandOn() {
  while (session_ != nullptr && !reading_paused && !unread_.empty()) {
    v1::ClientFrame frame = std::move(unread_.front());
    unread_.pop_front();
    const size_t bytes = frame.ByteSizeLong();
    session_->Handle(std::move(frame), session_->shard().ArrivalNow(), bytes);
  }
}

void FakeClient::ResumeReading() {
  reading_paused = false;
  session_->shard().Post([this] { HandOn(); });
}

void FakeClient::Broadcast(std::string_view body, std::string_view topic, std::string_view id) {
  v1::ClientFrame frame;
  frame.mutable_publish()->set_action_type(v1::BROADCAST);
  frame.mutable_publish()->set_body(std::string(body));
  frame.mutable_publish()->set_topic(std::string(topic));
  frame.mutable_publish()->set_id(std::string(id));
  Send(std::move(frame));
}

void FakeClient::Direct(std::string_view to, std::string_view body, std::string_view id) {
  v1::ClientFrame frame;
  frame.mutable_publish()->set_action_type(v1::DIRECT);
  frame.mutable_publish()->set_body(std::string(body));
  frame.mutable_publish()->set_to(std::string(to));
  frame.mutable_publish()->set_id(std::string(id));
  Send(std::move(frame));
}

void FakeClient::Subscribe(std::string_view topic, std::string_view id) {
  v1::ClientFrame frame;
  frame.mutable_subscribe()->set_topic(std::string(topic));
  frame.mutable_subscribe()->set_id(std::string(id));
  Send(std::move(frame));
}

void FakeClient::SubscribeFrom(std::string_view topic, uint64_t epoch, uint64_t offset) {
  v1::ClientFrame frame;
  frame.mutable_subscribe()->set_topic(std::string(topic));
  frame.mutable_subscribe()->mutable_resume()->set_epoch(epoch);
  frame.mutable_subscribe()->mutable_resume()->set_offset(offset);
  Send(std::move(frame));
}

void FakeClient::Unsubscribe(std::string_view topic) {
  v1::ClientFrame frame;
  frame.mutable_unsubscribe()->set_topic(std::string(topic));
  Send(std::move(frame));
}

void FakeClient::Leave(Outcome outcome) {
  std::exchange(session_, nullptr)->End(outcome);
  engine_->RunUntilIdle();
}

void FakeClient::ReadBytes(size_t bytes) {
  allowance_ = bytes;
  session_->SetBlocked(false);
  if (!cut_.empty()) Wake();  // which the engine does not know of
  engine_->RunUntilIdle();
}

void FakeClient::ReadFreely() { ReadBytes(kUnlimited); }

void FakeClient::Wake() {
  while (true) {
    if (!cut_.empty()) {
      const size_t taken = std::min(cut_.size(), allowance_);
      received_.append(cut_, 0, taken);
      cut_.erase(0, taken);
      if (allowance_ != kUnlimited) allowance_ -= taken;
      if (!cut_.empty()) return session_->SetBlocked(true);
    }
    const auto slices = session_->Peek(1000);
    if (slices.empty()) return;
    size_t taken = 0;
    bool full = false;
    for (const Slice& slice : slices) {
      const size_t part = std::min(slice.size, allowance_);
      received_.append(slice.data, part);
      taken += part;
      if (allowance_ != kUnlimited) allowance_ -= part;
      full = part < slice.size;
      if (full) break;
    }
    cut_ = session_->Take(taken);
    if (full) return session_->SetBlocked(true);
  }
}

void FakeClient::Close(Outcome outcome, std::string_view) { closed = outcome; }

std::vector<v1::Event> FakeClient::Events() {
  std::vector<v1::Event> events;
  if (encoding_ == &CanonicalEncoding()) {
    v1::ServerFrame frame;
    // What is not whole yet waits for the next call.
    if (cut_.empty() && frame.ParseFromString(received_)) {
      events.assign(frame.events().begin(), frame.events().end());
      received_.clear();
    }
    return events;
  }
  size_t end;
  while ((end = received_.find('\n')) != std::string::npos) {
    google::protobuf::TextFormat::ParseFromString(received_.substr(0, end), &events.emplace_back());
    received_.erase(0, end + 1);
  }
  return events;
}

std::vector<std::string> FakeClient::Story() {
  std::vector<std::string> story;
  for (const v1::Event& event : Events()) {
    if (event.has_message()) {
      story.push_back(event.message().body());
    } else if (event.has_gap()) {
      story.push_back("gap " + std::to_string(event.gap().first()) + "-" +
                      std::to_string(event.gap().last()));
    }
  }
  return story;
}

}  // namespace crier
