#include "server/admin/admin_access.h"

#include <spdlog/spdlog.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/concat.h"

namespace crier {

std::optional<Refusal> CheckAdmin(const Caller& caller, bool open) {
  if (open) return std::nullopt;
  // Whoever has no token is nobody in particular, and the log could not say who it was.
  if (!caller.grant || caller.grant->user_id.empty()) {
    return Refusal{Outcome::kUnauthenticated,
                   Concat({"this call needs a token with the claim ", kAdminClaim})};
  }
  if (caller.grant->permissions->admin) return std::nullopt;
  return Refusal{Outcome::kPermissionDenied, Concat({"this call needs the claim ", kAdminClaim})};
}

void LogAction(std::string_view method, const Caller& caller, std::string_view address,
               std::string_view what) {
  const bool known = caller.grant && !caller.grant->user_id.empty();
  spdlog::info("admin: {} by {} from {}: {}", method,
               known ? Quoted(caller.grant->user_id) : "local", address, what);
}

std::string Quoted(std::string_view text) {
  return absl::StrCat("\"", absl::Utf8SafeCEscape(absl::string_view(text.data(), text.size())),
                      "\"");
}

}  // namespace crier
