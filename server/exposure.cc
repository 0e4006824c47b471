#include "server/exposure.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/net/listen_address.h"

namespace crier {
namespace {

bool IsReachedByOthers(const ListenAddress& address) {
  const auto resolved = Resolve(address);
  return resolved.ok() && !std::all_of(resolved->begin(), resolved->end(), &IsLoopback);
}

// The addresses that other machines may reach, as they were written.
std::vector<std::string> ReachedByOthers(std::initializer_list<const std::string*> lists) {
  std::vector<std::string> reached;
  for (const std::string* list : lists) {
    if (list->empty()) continue;
    const auto addresses = ParseListenAddresses(*list);
    if (!addresses.ok()) continue;
    for (const ListenAddress& address : *addresses) {
      if (IsReachedByOthers(address)) reached.push_back(address.text);
    }
  }
  return reached;
}

// Administrators are told apart by their tokens alone.
std::string AdminExposureOf(const ServerOptions& options) {
  if (!options.auth.keys.empty()) return {};
  const std::vector<std::string> reached = ReachedByOthers({&options.admin_listen});
  if (reached.empty()) return {};
  return absl::StrCat("whoever reaches ", absl::StrJoin(reached, ","),
                      " may administer the server (no keys)");
}

// Clients have to prove who they are.
bool KnowsItsClients(const ServerOptions& options) {
  return !options.auth.keys.empty() || options.tls.user_from != TlsUserFrom::kNone;
}

}  // namespace

bool IsAdminReachedByOthers(const ServerOptions& options) {
  return !ReachedByOthers({&options.admin_listen}).empty();
}

std::string ExposureOf(const ServerOptions& options) {
  std::vector<std::string> open;
  if (!options.tls.enabled()) open.emplace_back("can read along on the way (no TLS)");
  if (!KnowsItsClients(options)) open.emplace_back("may be any user (no keys)");
  std::vector<std::string> texts;
  const std::vector<std::string> reached =
      ReachedByOthers({&options.http_listen, &options.grpc_listen, &options.admin_listen});
  if (!open.empty() && !reached.empty()) {
    texts.push_back(absl::StrCat("whoever reaches ", absl::StrJoin(reached, ","), " ",
                                 absl::StrJoin(open, ", and ")));
  }
  if (std::string admin = AdminExposureOf(options); !admin.empty()) {
    texts.push_back(std::move(admin));
  }
  return absl::StrJoin(texts, "; ");
}

absl::Status CheckExposure(const ServerOptions& options) {
  if (options.insecure) return absl::OkStatus();
  const std::string open = ExposureOf(options);
  if (open.empty()) return absl::OkStatus();
  std::vector<std::string> missing;
  if (!options.tls.enabled()) missing.emplace_back("--tls_cert and --tls_key");
  if (!KnowsItsClients(options) || !AdminExposureOf(options).empty()) {
    missing.emplace_back("--auth_keys or --auth_jwks");
  }
  return absl::InvalidArgumentError(
      absl::StrCat(open, "; give ", absl::StrJoin(missing, ", "),
                   ", or --insecure to serve as it is (behind a proxy, in a network that you "
                   "trust)"));
}

}  // namespace crier
