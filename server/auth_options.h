// The flags for tokens and permissions.
#ifndef CRIER_SERVER_AUTH_OPTIONS_H_
#define CRIER_SERVER_AUTH_OPTIONS_H_

#include <span>

#include "server/auth/key_files.h"
#include "server/auth/token_verifier.h"
#include "server/flag_help.h"
#include "server/flag_reader.h"

namespace crier {

struct AuthOptions {
  // Empty: clients are not authenticated.
  KeyFiles::Names keys;
  TokenRules rules;
};

void ReadAuth(FlagReader* reader, AuthOptions* options);

std::span<const FlagHelp> AuthFlags();

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_OPTIONS_H_
