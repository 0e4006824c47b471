#include "server/auth/token_claims.h"

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <utility>

#include "server/auth/authenticator.h"
#include "server/base/concat.h"

namespace crier {
namespace {

namespace json = boost::json;

// Empty: nothing is wrong.
using Fault = std::string;

// The year 9999, as in RFC 3339. Beyond that, adding to it might overflow.
constexpr double kLastSecond = 253402300799.0;

// The names of crier's claims begin so, or are the members of an object of the name.
constexpr std::string_view kOwn = "crier";

struct ListClaim {
  std::string_view name;
  std::vector<TopicPattern> Permissions::*list;
};
constexpr std::array<ListClaim, 2> kListClaims = {{
    {kPublishClaim, &Permissions::publish},
    {kSubscribeClaim, &Permissions::subscribe},
}};
struct SwitchClaim {
  std::string_view name;
  bool Permissions::*value;
};
constexpr std::array<SwitchClaim, 4> kSwitchClaims = {{
    {kDirectClaim, &Permissions::direct},
    {kPresenceClaim, &Permissions::presence},
    {kHistoryClaim, &Permissions::history},
    {kAdminClaim, &Permissions::admin},
}};

json::string_view Key(std::string_view name) { return {name.data(), name.size()}; }
std::string_view View(const json::string& text) { return {text.data(), text.size()}; }

Fault WrongType(std::string_view name, std::string_view right) {
  return Concat({"the claim ", name, " of the token has to be ", right});
}

Fault ReadText(const json::object& claims, std::string_view name, std::string* text) {
  const json::value* value = claims.if_contains(Key(name));
  if (value == nullptr) return {};
  if (!value->is_string()) return WrongType(name, "a string");
  *text = View(value->get_string());
  return {};
}

// A NumericDate (RFC 7519, section 2), which may have a fraction.
Fault ReadTime(const json::object& claims, std::string_view name, std::optional<int64_t>* time) {
  const json::value* value = claims.if_contains(Key(name));
  if (value == nullptr) return {};
  json::error_code error;
  const double seconds = value->is_number() ? value->to_number<double>(error) : std::nan("");
  if (error || !(seconds >= 0 && seconds <= kLastSecond)) {
    return WrongType(name, "a number of seconds since 1970");
  }
  *time = static_cast<int64_t>(seconds);
  return {};
}

Fault ReadAudience(const json::object& claims, std::vector<std::string>* audience) {
  const json::value* value = claims.if_contains("aud");
  if (value == nullptr) return {};
  constexpr std::string_view kRight = "a string or a list of strings";
  if (value->is_string()) {
    audience->emplace_back(View(value->get_string()));
    return {};
  }
  if (!value->is_array()) return WrongType("aud", kRight);
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_string()) return WrongType("aud", kRight);
    audience->emplace_back(View(entry.get_string()));
  }
  // It is for nobody, and not for anybody.
  if (audience->empty()) return WrongType("aud", kRight);
  return {};
}

// The value of "crier.publish", or of "publish" in the object "crier".
Fault FindOwn(const json::object& claims, std::string_view name, const json::value** found) {
  *found = claims.if_contains(Key(name));
  const json::value* own = claims.if_contains(Key(kOwn));
  if (own == nullptr) return {};
  if (!own->is_object()) return WrongType(kOwn, "an object");
  const json::value* inner = own->get_object().if_contains(Key(name.substr(kOwn.size() + 1)));
  if (inner == nullptr) return {};
  if (*found != nullptr) return Concat({"the token has the claim ", name, " twice"});
  *found = inner;
  return {};
}

Fault ReadPatterns(const json::value& value, std::string_view name,
                   std::vector<TopicPattern>* list) {
  constexpr std::string_view kRight = "a list of patterns, which are strings";
  if (!value.is_array()) return WrongType(name, kRight);
  for (const json::value& entry : value.get_array()) {
    if (!entry.is_string()) return WrongType(name, kRight);
    const std::string wrong = Permissions::Add(View(entry.get_string()), list);
    if (!wrong.empty()) return Concat({"in the claim ", name, " of the token, ", wrong});
  }
  return {};
}

Fault ReadPermissions(const json::object& claims, std::optional<Permissions>* permissions) {
  Permissions read;
  bool any = claims.contains(Key(kOwn));
  const json::value* value = nullptr;
  for (const ListClaim& claim : kListClaims) {
    if (Fault fault = FindOwn(claims, claim.name, &value); !fault.empty()) return fault;
    if (value == nullptr) continue;
    any = true;
    if (Fault fault = ReadPatterns(*value, claim.name, &(read.*claim.list)); !fault.empty()) {
      return fault;
    }
  }
  for (const SwitchClaim& claim : kSwitchClaims) {
    if (Fault fault = FindOwn(claims, claim.name, &value); !fault.empty()) return fault;
    if (value == nullptr) continue;
    any = true;
    if (!value->is_bool()) return WrongType(claim.name, "true or false");
    read.*claim.value = value->get_bool();
  }
  if (any) *permissions = std::move(read);
  return {};
}

Fault Read(const json::object& object, TokenClaims* claims) {
  if (Fault fault = ReadText(object, "sub", &claims->subject); !fault.empty()) return fault;
  if (claims->subject.empty()) return "the token names no user (sub)";
  if (claims->subject.size() > Grant::kMaxUserBytes) {
    return "the token's user (sub) has more than 255 bytes";
  }
  if (Fault fault = ReadText(object, "iss", &claims->issuer); !fault.empty()) return fault;
  if (Fault fault = ReadAudience(object, &claims->audience); !fault.empty()) return fault;
  std::optional<int64_t> expires_at;
  if (Fault fault = ReadTime(object, "exp", &expires_at); !fault.empty()) return fault;
  if (!expires_at) return "the token has no end (exp)";
  claims->expires_at = *expires_at;
  if (Fault fault = ReadTime(object, "nbf", &claims->not_before); !fault.empty()) return fault;
  return ReadPermissions(object, &claims->permissions);
}

}  // namespace

std::variant<TokenClaims, std::string> ReadTokenClaims(std::string_view payload) {
  json::error_code error;
  // Strict JSON in strict UTF-8, at most 32 levels deep.
  const json::value parsed = json::parse(json::string_view(payload.data(), payload.size()), error);
  if (error || !parsed.is_object()) return "the token's claims are no JSON object";
  TokenClaims claims;
  Fault fault = Read(parsed.get_object(), &claims);
  if (!fault.empty()) return fault;
  return claims;
}

}  // namespace crier
