// The unary methods of crier.v1.Messaging: passes their requests to the engine. Its streams are
// server/grpc/messaging_service.h.
#ifndef CRIER_SERVER_SERVICE_MESSAGING_METHODS_H_
#define CRIER_SERVER_SERVICE_MESSAGING_METHODS_H_

#include <string>

#include "server/engine/engine.h"
#include "server/service/unary_call.h"
#include "server/service/unary_methods.h"

namespace crier {

// Publish and History. `engine` outlives the calls.
void AddMessagingMethods(Engine* engine, UnaryMethods* methods);

// Answers a call that has published, with a PublishResponse or the error. Runs on: the call's
// shard.
void AnswerPublish(UnaryCall& call, std::string topic, const PublishResult& result);

}  // namespace crier

#endif  // CRIER_SERVER_SERVICE_MESSAGING_METHODS_H_
