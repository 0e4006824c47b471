// What a client may do (docs/auth.md, "Permissions").
#ifndef CRIER_SERVER_AUTH_PERMISSIONS_H_
#define CRIER_SERVER_AUTH_PERMISSIONS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/auth/topic_pattern.h"

namespace crier {

// The names of the claims, as refusals have them.
inline constexpr std::string_view kPublishClaim = "crier.publish";
inline constexpr std::string_view kSubscribeClaim = "crier.subscribe";
inline constexpr std::string_view kDirectClaim = "crier.direct";
inline constexpr std::string_view kPresenceClaim = "crier.presence";
inline constexpr std::string_view kHistoryClaim = "crier.history";
inline constexpr std::string_view kAdminClaim = "crier.admin";

// Nothing is allowed at first. Reading is thread-safe.
struct Permissions {
  // Of each list, so that a check has a bounded cost: that of reading so many patterns.
  static constexpr size_t kMaxPatterns = 100;

  std::vector<TopicPattern> publish;
  std::vector<TopicPattern> subscribe;
  bool direct = false;
  bool presence = false;
  bool history = false;
  bool admin = false;

  // Of a flag: "all" (all but admin), "none", or words with spaces between them: direct, presence,
  // history, admin, and publish=PATTERN and subscribe=PATTERN any number of times. "subscribe=" is
  // the topic without a name.
  static absl::StatusOr<Permissions> Parse(std::string_view text);
  static Permissions All();

  bool MayPublish(std::string_view topic, std::string_view user_id) const;
  bool MaySubscribe(std::string_view topic, std::string_view user_id) const;

  // Adds a pattern to one of the lists. Empty: done; else what is wrong with it.
  static std::string Add(std::string_view pattern, std::vector<TopicPattern>* list);
  // What it keeps, about.
  size_t bytes() const;
};

}  // namespace crier

#endif  // CRIER_SERVER_AUTH_PERMISSIONS_H_
