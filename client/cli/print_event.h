// Prints events, one per line.
#ifndef CRIER_CLIENT_CLI_PRINT_EVENT_H_
#define CRIER_CLIENT_CLI_PRINT_EVENT_H_

#include <string>

#include "crier/v1/message.pb.h"

namespace crier::cli {

// For people. Control characters are escaped, so that an event is always one line.
std::string EventLine(const v1::Event& event);

// For programs: protobuf's JSON mapping, with the field names of the proto.
std::string EventJson(const v1::Event& event);

}  // namespace crier::cli

#endif  // CRIER_CLIENT_CLI_PRINT_EVENT_H_
