#include "tests/support/frames.h"

#include <string>
#include <utility>

namespace crier::testing {

v1::Message Direct(std::string_view body, std::string_view to, std::string_view id) {
  v1::Message message;
  message.set_action_type(v1::DIRECT);
  message.set_body(std::string(body));
  message.set_to(std::string(to));
  message.set_id(std::string(id));
  return message;
}

v1::Message Broadcast(std::string_view body, std::string_view topic, std::string_view id) {
  v1::Message message;
  message.set_action_type(v1::BROADCAST);
  message.set_body(std::string(body));
  message.set_topic(std::string(topic));
  message.set_id(std::string(id));
  return message;
}

v1::ClientFrame AsFrame(v1::Message message) {
  v1::ClientFrame frame;
  *frame.mutable_publish() = std::move(message);
  return frame;
}

v1::ClientFrame Subscribe(std::string_view topic, std::string_view id) {
  v1::ClientFrame frame;
  frame.mutable_subscribe()->set_topic(std::string(topic));
  frame.mutable_subscribe()->set_id(std::string(id));
  return frame;
}

v1::ClientFrame Watch(std::string_view topic, std::string_view id) {
  v1::ClientFrame frame = Subscribe(topic, id);
  frame.mutable_subscribe()->set_presence(true);
  return frame;
}

v1::ClientFrame SubscribeFrom(const v1::ResumePoint& point, std::string_view id) {
  v1::ClientFrame frame = Subscribe(point.topic(), id);
  *frame.mutable_subscribe()->mutable_resume() = point;
  return frame;
}

v1::ClientFrame Unsubscribe(std::string_view topic, std::string_view id) {
  v1::ClientFrame frame;
  frame.mutable_unsubscribe()->set_topic(std::string(topic));
  frame.mutable_unsubscribe()->set_id(std::string(id));
  return frame;
}

v1::ClientFrame Ping(std::string_view id) {
  v1::ClientFrame frame;
  frame.mutable_ping()->set_id(std::string(id));
  return frame;
}

v1::ClientFrame WhoFollows(std::string_view topic, std::string_view id) {
  v1::ClientFrame frame;
  frame.mutable_presence()->set_topic(std::string(topic));
  frame.mutable_presence()->set_id(std::string(id));
  return frame;
}

v1::ClientFrame HelloFrom(const v1::ResumePoint& point) {
  v1::ClientFrame frame;
  *frame.mutable_hello()->add_resume() = point;
  return frame;
}

v1::ClientFrame EmptyHello() {
  v1::ClientFrame frame;
  frame.mutable_hello();
  return frame;
}

v1::ResumePoint At(std::string_view topic, uint64_t epoch, uint64_t offset) {
  v1::ResumePoint point;
  point.set_topic(std::string(topic));
  point.set_epoch(epoch);
  point.set_offset(offset);
  return point;
}

}  // namespace crier::testing
