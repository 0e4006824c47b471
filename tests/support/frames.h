// What clients send, in words: the same for every transport.
#ifndef CRIER_TESTS_SUPPORT_FRAMES_H_
#define CRIER_TESTS_SUPPORT_FRAMES_H_

#include <cstdint>
#include <string_view>

#include "crier/v1/message.pb.h"

namespace crier::testing {

v1::Message Direct(std::string_view body, std::string_view to = "", std::string_view id = "");
v1::Message Broadcast(std::string_view body, std::string_view topic = "", std::string_view id = "");
v1::ClientFrame AsFrame(v1::Message message);
v1::ClientFrame Subscribe(std::string_view topic, std::string_view id = "");
// Subscribe, and be told who comes and goes.
v1::ClientFrame Watch(std::string_view topic, std::string_view id = "");
v1::ClientFrame SubscribeFrom(const v1::ResumePoint& point, std::string_view id = "");
v1::ClientFrame Unsubscribe(std::string_view topic, std::string_view id = "");
v1::ClientFrame Ping(std::string_view id);
v1::ClientFrame WhoFollows(std::string_view topic, std::string_view id = "");
v1::ClientFrame HelloFrom(const v1::ResumePoint& point);
// From a client that asks for nothing older.
v1::ClientFrame EmptyHello();
v1::ResumePoint At(std::string_view topic, uint64_t epoch, uint64_t offset);

}  // namespace crier::testing

#endif  // CRIER_TESTS_SUPPORT_FRAMES_H_
