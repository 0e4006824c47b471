#include "client/token.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "client/cli/connect.h"
#include "client/cli/option_parser.h"

namespace crier::cli {
namespace {

namespace json = boost::json;

struct MakeOptions {
  std::string key;
  std::string algorithm = "HS256";
  std::string kid;
  std::string sub;
  absl::Duration ttl = absl::Hours(1);
  std::string iss;
  std::string aud;
  std::string publish;
  std::string subscribe;
  bool direct = false;
  bool presence = false;
  bool history = false;
  bool admin = false;
  std::string claims;
};

int Wrong(std::string_view text) {
  std::cerr << "crier token: " << text << "\n";
  return kUsage;
}

json::array ListOf(std::string_view text) {
  json::array list;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    list.emplace_back(json::string_view(part.data(), part.size()));
    if (comma == text.npos) return list;
    text.remove_prefix(comma + 1);
  }
}

// The claims that the options name; those of --claims beside them.
std::optional<json::object> ClaimsOf(const MakeOptions& options, const OptionParser& parser) {
  json::object claims;
  if (!options.claims.empty()) {
    json::error_code error;
    const json::value parsed = json::parse(options.claims, error);
    if (error || !parsed.is_object()) return std::nullopt;
    claims = parsed.get_object();
  }
  claims["sub"] = options.sub;
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  claims["iat"] = now;
  claims["exp"] = now + absl::ToInt64Seconds(options.ttl);
  if (!options.iss.empty()) claims["iss"] = options.iss;
  if (!options.aud.empty()) claims["aud"] = options.aud;
  if (parser.given("publish")) claims["crier.publish"] = ListOf(options.publish);
  if (parser.given("subscribe")) claims["crier.subscribe"] = ListOf(options.subscribe);
  if (options.direct) claims["crier.direct"] = true;
  if (options.presence) claims["crier.presence"] = true;
  if (options.history) claims["crier.history"] = true;
  if (options.admin) claims["crier.admin"] = true;
  return claims;
}

void AddMakeOptions(MakeOptions* options, OptionParser* parser) {
  parser->Group("Signature:");
  parser->Add("key", &options->key, "FILE", "a secret, or a private key in PEM");
  parser->AddChoice("alg", &options->algorithm,
                    {"HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"}, "algorithm");
  parser->Add("kid", &options->kid, "NAME", "the key's name in the server's JWKS");
  parser->Group("Claims:");
  parser->Add("sub", &options->sub, "USER", "the user");
  parser->Add("ttl", &options->ttl, "TIME", "how long the token is valid");
  parser->Add("iss", &options->iss, "ISSUER", "the issuer");
  parser->Add("aud", &options->aud, "AUDIENCE", "the audience");
  parser->Add("publish", &options->publish, "PATTERNS",
              "topics that may be published to, separated by commas; an empty one is the topic "
              "without a name, ** is every topic");
  parser->Add("subscribe", &options->subscribe, "PATTERNS", "topics that may be followed");
  parser->Add("direct", &options->direct, "direct messages to users may be sent");
  parser->Add("presence", &options->presence, "who follows a topic may be asked");
  parser->Add("history", &options->history, "past messages may be read");
  parser->Add("admin", &options->admin, "the server may be administered");
  parser->Add("claims", &options->claims, "JSON", "an object with further claims");
}

int Make(const std::vector<std::string>& arguments) {
  MakeOptions options;
  OptionParser parser("crier token make --key FILE --sub USER [options]",
                      "Makes a JSON Web Token and prints it, for tests and for trying things out.\n"
                      "Exit codes: 0 made, 2 wrong usage.");
  AddMakeOptions(&options, &parser);
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (!positional.empty()) return Wrong("make: unexpected argument \"" + positional[0] + "\"");
  if (options.key.empty()) return Wrong("make: --key is needed, the file with the key");
  if (options.sub.empty()) return Wrong("make: --sub is needed, the user");
  std::ifstream file(options.key, std::ios::binary);
  const std::string key((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return Wrong("make: --key=" + options.key + " cannot be read");
  const std::optional<json::object> claims = ClaimsOf(options, parser);
  if (!claims) return Wrong("make: --claims has to be a JSON object");
  const auto token =
      client::SignToken(json::serialize(*claims), options.algorithm, key, options.kid);
  if (!token.ok()) {
    return Wrong(
        absl::StrCat("make: --key=", options.key, ": ", std::string(token.status().message())));
  }
  std::cout << *token << "\n";
  return kOk;
}

void ShowTime(const json::object& claims, const char* name, const char* text) {
  const json::value* value = claims.if_contains(name);
  if (value == nullptr || !value->is_number()) return;
  json::error_code error;
  const auto seconds = value->to_number<int64_t>(error);
  if (error) return;
  const absl::Time time = absl::FromUnixSeconds(seconds);
  const absl::Duration left = time - absl::Now();
  std::cout << text << " " << absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone())
            << ", " << (left >= absl::ZeroDuration() ? "in " : "")
            << absl::FormatDuration(absl::Trunc(absl::AbsDuration(left), absl::Seconds(1)))
            << (left < absl::ZeroDuration() ? " ago" : "") << "\n";
}

int Show(const std::vector<std::string>& arguments) {
  OptionParser parser("crier token show [TOKEN]",
                      "Prints what a JSON Web Token says; without TOKEN, of the one that standard\n"
                      "input holds. Does not check its signature.\n"
                      "Exit codes: 0 shown, 2 it is no token.");
  std::vector<std::string> positional;
  int exit_code = kOk;
  if (!ParseOrExplain(arguments, &parser, &positional, &exit_code)) return exit_code;
  if (positional.size() > 1) return Wrong("show: one token at a time");
  std::string token;
  if (positional.empty()) {
    std::getline(std::cin, token);
  } else {
    token = positional[0];
  }
  const auto parts = client::TakeTokenApart(token);
  if (!parts.ok()) return Wrong("show: " + std::string(parts.status().message()));
  std::cout << parts->header << "\n" << parts->claims << "\n";
  json::error_code error;
  const json::value claims = json::parse(parts->claims, error);
  if (error || !claims.is_object()) return Wrong("show: its claims are no JSON object");
  ShowTime(claims.get_object(), "nbf", "valid from");
  ShowTime(claims.get_object(), "exp", "ends");
  return kOk;
}

}  // namespace

int Token(const std::vector<std::string>& arguments) {
  const std::string command = arguments.empty() ? "" : arguments[0];
  const std::vector<std::string> rest(arguments.begin() + (arguments.empty() ? 0 : 1),
                                      arguments.end());
  if (command == "make") return Make(rest);
  if (command == "show") return Show(rest);
  if (command == "--help" || command == "-h") {
    std::cout
        << "Usage: crier token make|show [options]\n\n"
           "Makes a JSON Web Token for tests, or shows what one says. crier token make --help\n"
           "explains more.\n";
    return kOk;
  }
  return Wrong("make or show is needed (see crier token --help)");
}

}  // namespace crier::cli
