#include "server/auth_options.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "server/auth/permissions.h"

ABSL_FLAG(std::string, auth_keys, "",
          "Files with keys that clients' tokens (JSON Web Tokens) are verified with, separated by "
          "commas: public keys in PEM (RS256, ES256, EdDSA), or a secret (HS256, HS384, HS512). "
          "With this flag or --auth_jwks, a client needs a token. The files are read again when "
          "they change, and on SIGHUP.");
ABSL_FLAG(std::string, auth_jwks, "",
          "A file with such keys as a JWKS (RFC 7517). It may hold several, by their kid, so that "
          "keys can be rotated.");
ABSL_FLAG(std::string, auth_issuer, "",
          "Accept only tokens of this issuer (iss). Without it, of any issuer.");
ABSL_FLAG(
    std::string, auth_audience, "",
    "Accept only tokens for this audience (aud). Without it, only tokens without an audience.");
ABSL_FLAG(absl::Duration, auth_leeway, absl::Seconds(30),
          "How far the clocks of issuers may differ from this server's.");
ABSL_FLAG(std::string, auth_default, "none",
          "What users may do whose tokens have no claim of crier's: all, none, or words of "
          "publish=PATTERN, subscribe=PATTERN, direct, presence, history, with spaces between "
          "them.");
ABSL_FLAG(std::string, anonymous, "",
          "What clients without a token may do, in the same words. Empty: nothing, so they need "
          "one. Without keys all clients may do everything.");

namespace crier {
namespace {

constexpr std::string_view kPermissions =
    "all, none, or e.g. \"publish=chat.* subscribe=** direct\"";

constexpr FlagHelp kFlags[] = {
    {"auth_keys", "FILES", "e.g. public.pem,secret.txt"},
    {"auth_jwks", "FILE", "e.g. jwks.json"},
    {"auth_issuer", "ISSUER", "e.g. https://id.example.org"},
    {"auth_audience", "AUDIENCE", "e.g. chat.example.org"},
    {"auth_leeway", "TIME", "a time with its unit, e.g. 500ms, 25s or 5m"},
    {"auth_default", "PERMISSIONS", kPermissions},
    {"anonymous", "PERMISSIONS", kPermissions},
};

// It means nothing where there are no keys.
void RequireKeys(FlagReader* reader, const absl::Flag<std::string>& flag, std::string_view unset,
                 const KeyFiles::Names& keys) {
  reader->Require(!keys.empty() || absl::GetFlag(flag) == unset, flag,
                  "means nothing without --auth_keys or --auth_jwks: then clients are not "
                  "authenticated, and all may do everything");
}

}  // namespace

void ReadAuth(FlagReader* reader, AuthOptions* options) {
  KeyFiles::Names& keys = options->keys;
  if (const std::string files = absl::GetFlag(FLAGS_auth_keys); !files.empty()) {
    for (const absl::string_view name : absl::StrSplit(files, ',')) {
      reader->Require(!name.empty(), FLAGS_auth_keys,
                      "has an empty name; it is a list of files, with commas between them");
      keys.keys.emplace_back(name);
    }
  }
  keys.jwks = absl::GetFlag(FLAGS_auth_jwks);
  TokenRules& rules = options->rules;
  rules.issuer = absl::GetFlag(FLAGS_auth_issuer);
  rules.audience = absl::GetFlag(FLAGS_auth_audience);
  rules.leeway =
      reader->Time(FLAGS_auth_leeway, absl::ZeroDuration(), absl::Hours(1)).count() / 1000;
  reader->Parse(FLAGS_auth_default, &Permissions::Parse, &rules.without_claims);
  if (!absl::GetFlag(FLAGS_anonymous).empty()) {
    reader->Parse(FLAGS_anonymous, &Permissions::Parse, &rules.anonymous.emplace());
  }
  RequireKeys(reader, FLAGS_auth_issuer, "", keys);
  RequireKeys(reader, FLAGS_auth_audience, "", keys);
  RequireKeys(reader, FLAGS_auth_default, "none", keys);
  RequireKeys(reader, FLAGS_anonymous, "", keys);
}

std::span<const FlagHelp> AuthFlags() { return kFlags; }

}  // namespace crier
