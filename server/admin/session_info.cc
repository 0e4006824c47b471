#include "server/admin/session_info.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/engine/outlet.h"

namespace crier {

v1::Transport TransportOf(const Session& session) {
  return session.kind() == TransportKind::kGrpc ? v1::GRPC : v1::WEBSOCKET;
}

void DescribeSession(const Session& session, v1::SessionInfo* info) {
  info->set_session_id(absl::StrCat(session.id()));
  info->set_user_id(session.user_id());
  info->set_address(session.PeerAddress());
  info->set_transport(TransportOf(session));
  info->mutable_opened_at()->set_seconds(session.opened_at());
  info->set_lagging(session.blocked());
  info->set_topics(static_cast<uint32_t>(session.following().topic_count()));
  const Session::Position mailbox = session.MailboxPosition();
  info->set_mailbox_events(mailbox.head + 1 - mailbox.next);
  info->set_mailbox_bytes(session.outlet().mailbox().bytes());
}

void DescribeSession(const Session& session, v1::SessionDetails* details) {
  DescribeSession(session, details->mutable_session());
  details->set_slow_consumer_policy(session.policy());
  if (const SessionAccess* access = session.access();
      access != nullptr && access->grant.ends_at != 0) {
    details->mutable_token_ends_at()->set_seconds(access->grant.ends_at);
  }
  std::vector<std::string> topics = session.following().Topics();
  topics.insert(topics.begin(), std::string());
  for (std::string& topic : topics) {
    const Session::Position position = session.PositionIn(topic);
    // It may not follow the empty one, and its place elsewhere may be on its way.
    if (position.next == 0 && topic.empty()) continue;
    v1::FollowedTopic& followed = *details->add_topics();
    followed.set_topic(std::move(topic));
    followed.set_next(position.next);
    followed.set_head(position.head);
    followed.set_delivered(position.delivered);
    followed.set_skipped(position.skipped);
  }
}

bool Matches(const Session& session, const v1::SessionFilter& filter) {
  if (session.closing()) return false;
  if (filter.transport() != v1::TRANSPORT_UNSPECIFIED &&
      filter.transport() != TransportOf(session)) {
    return false;
  }
  if (filter.lagging() && !session.blocked()) return false;
  if (!filter.user_id().empty() && filter.user_id() != session.user_id()) return false;
  if (!filter.topic().empty() && !session.following().Follows(filter.topic())) return false;
  return filter.address().empty() || filter.address() == session.PeerAddress();
}

}  // namespace crier
