#include "server/cluster_flags.h"

#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/metrics/metrics.h"

ABSL_FLAG(std::string, cluster_url, "",
          "Share topics, users, ids and resume points with all nodes that have the same URL, "
          "through this Redis or Valkey (docs/cluster.md). Several servers have a comma between "
          "them. Without it, the node is alone.");
ABSL_FLAG(absl::Duration, cluster_timeout, absl::Seconds(2),
          "A server of the cluster that says nothing for this long counts as away: the node "
          "refuses publishes with UNAVAILABLE and connects again.");
ABSL_FLAG(bool, cluster_readiness, false,
          "Say 'not ready' (/readyz, gRPC's health) while a server of the cluster is away, so that "
          "load balancers send new clients to other nodes.");

namespace crier {
namespace {

constexpr FlagHelp kFlags[] = {
    {"cluster_url", "URL",
     "redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], rediss://... with TLS, or "
     "redis+sentinel://HOST:PORT,HOST:PORT/MASTER"},
    {"cluster_timeout", "TIME", "a time with its unit, e.g. 500ms, 25s or 5m"},
    {"cluster_readiness", "", "true or false"},
};

}  // namespace

std::string WithoutPasswords(std::string_view cluster_url) {
  std::string text;
  while (true) {
    const size_t scheme = cluster_url.find("://");
    if (scheme == std::string_view::npos) break;
    const size_t begin = scheme + 3;
    const size_t end = cluster_url.find('/', begin);
    const std::string_view authority = cluster_url.substr(begin, end - begin);
    const size_t at = authority.rfind('@');
    text.append(cluster_url.substr(0, begin));
    if (at != std::string_view::npos) {
      const std::string_view login = authority.substr(0, at);
      text.append(login.substr(0, login.find(':'))).append(":***");
    }
    const size_t shown = begin + (at == std::string_view::npos ? 0 : at);
    cluster_url.remove_prefix(shown);
  }
  return text.append(cluster_url);
}

void ReadCluster(FlagReader* reader, ClusterOptions* options) {
  const std::string url = absl::GetFlag(FLAGS_cluster_url);
  options->timeout = reader->Time(FLAGS_cluster_timeout, absl::Milliseconds(100), absl::Minutes(1));
  options->readiness = absl::GetFlag(FLAGS_cluster_readiness);
  if (url.empty()) return;
  auto parsed = ParseClusterUrl(url);
  if (!parsed.ok()) {
    // Not the value: it may have a password.
    reader->Fail(absl::StrCat("--cluster_url: ", parsed.status().message()));
    return;
  }
  if (parsed->servers.size() > kMostClusterServers) {
    reader->Fail(absl::StrCat("--cluster_url names ", parsed->servers.size(), " servers; at most ",
                              kMostClusterServers, " are possible"));
  }
  options->url = *std::move(parsed);
}

std::span<const FlagHelp> ClusterFlags() { return kFlags; }

}  // namespace crier
