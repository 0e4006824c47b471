// What `crier top` knows of the nodes of a cluster.
#ifndef CRIER_CLIENT_CLI_TOP_NODES_H_
#define CRIER_CLIENT_CLI_TOP_NODES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/admin_client.h"
#include "crier/v1/admin.pb.h"

namespace crier::cli {

// The numbers of one server, or the sums over several.
struct Numbers {
  // Now.
  uint64_t websocket_sessions = 0;
  uint64_t grpc_sessions = 0;
  uint64_t lagging_sessions = 0;
  uint64_t connections = 0;
  uint64_t topics = 0;
  uint64_t memory_bytes = 0;
  uint64_t memory_budget = 0;
  // Per second, since the look before.
  double received = 0;
  double delivered = 0;
  double skipped = 0;
  double bytes_sent = 0;
  double ended = 0;
  double refused = 0;

  uint64_t sessions() const { return websocket_sessions + grpc_sessions; }
  void Add(const Numbers& other);
};

// `before` is of the same server. The same as `now`: all rates are 0.
Numbers NumbersOf(const v1::Stats& before, const v1::Stats& now);

// Runs on: one thread.
class TopNodes {
 public:
  // Looks at all nodes; where Redis is away, at the one that is asked.
  absl::Status Look(client::AdminClient* client);

  size_t count() const { return nodes_.size(); }
  Numbers Sum() const;
  // What is wrong, as words that go on a line: ", 1 does not answer". Empty: nothing.
  std::string Trouble() const;
  // Which nodes can be asked for lists: the `node` of such requests.
  std::string scope() const { return away_ ? "." : ""; }
  // A line for each node, of `most` at most, and those around them.
  std::string Table(size_t most) const;
  // How many lines that is.
  size_t TableLines(size_t most) const;

 private:
  struct Node {
    v1::NodeInfo info;
    Numbers numbers;
  };

  std::vector<Node> nodes_;
  uint32_t silent_ = 0;
  bool away_ = false;                       // Redis
  std::map<std::string, v1::Stats> known_;  // by name, of the last look
};

}  // namespace crier::cli

#endif  // CRIER_CLIENT_CLI_TOP_NODES_H_
