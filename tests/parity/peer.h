// A client of any transport and dialect, behind one interface. It sends and receives the model's
// own types, without the parts that only one of the dialects has.
#ifndef CRIER_TESTS_PARITY_PEER_H_
#define CRIER_TESTS_PARITY_PEER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crier/v1/message.pb.h"
#include "server/base/outcome.h"
#include "tests/support/websocket_client.h"

namespace crier::testing {

// How a client speaks.
enum class Speech {
  kPlain,  // a WebSocket without a subprotocol
  kJson,   // with crier.v1.json
  kProto,  // with crier.v1.proto
  kGrpc,
};

// "Plain", ...
std::string NameOf(Speech speech);
// How GoogleTest shows one.
inline void PrintTo(Speech speech, std::ostream* out) { *out << NameOf(speech); }

// How a session ended, in words that all share.
struct Ending {
  // A WebSocket close code, or a grpc::StatusCode.
  int code = 0;
  // The outcome's name, as the client was told; empty: it was not.
  std::string outcome;
  // What is said for people.
  std::string text = {};
  // When to come back, as the client was told, in milliseconds: in the close frame's reason, or in
  // the status's ErrorInfo; empty: it was not.
  std::string retry_after_ms = {};
  // The same for gRPC's own retries: grpc-retry-pushback-ms. Of a WebSocket: always empty.
  std::string pushback_ms = {};
};

// Not thread-safe. Reads only when asked.
class Peer {
 public:
  virtual ~Peer() = default;

  virtual void Send(const v1::ClientFrame& frame) = 0;
  // Sends bytes that are not a frame.
  virtual void SendGarbage() = 0;
  // The next event, without the greeting, the farewell, what differs with time (received_at, a
  // direct message's time), an error's words, and the receiver's own name (`to`), which the plain
  // dialect leaves out. The test fails if none comes.
  virtual v1::Event Next() = 0;
  // Ends the session, as a client does that is done.
  virtual void Leave() = 0;
  // Ends it with a reset: of its connection, or by gRPC, whose library does not do that, of its
  // stream.
  virtual void Break() = 0;
  // Waits for the end of the session.
  virtual Ending WaitForEnd() = 0;
  // What that should be.
  virtual int CodeOf(const OutcomeInfo& info) const = 0;
  // What is below, to break rules with; null: gRPC's own library.
  virtual WebSocketClient* socket() { return nullptr; }
};

// The ending that a close frame tells, or that there was none (1006).
Ending EndingOf(const std::optional<Frame>& close);

// How a client gives its token.
enum class TokenIn {
  kHeader,       // Authorization; in gRPC's metadata too
  kQuery,        // access_token; WebSocket only
  kSubprotocol,  // crier.bearer.TOKEN; WebSocket only
  kFrame,        // the first one
};

// Who a client is.
struct Login {
  std::string user = {};   // as it says itself; empty: it does not
  std::string token = {};  // empty: none
  TokenIn in = TokenIn::kHeader;
  // Nothing is sent or awaited after the connection: for what has no session, or does not follow
  // the empty topic.
  bool quiet = false;
};

// Sessions that are open when these functions return, unless the login is quiet.
std::unique_ptr<Peer> MakePlainPeer(const std::string& address, const Login& login);
std::unique_ptr<Peer> MakeModelPeer(const std::string& address, const Login& login,
                                    Speech speech);  // kJson or kProto
std::unique_ptr<Peer> MakeGrpcPeer(const std::string& address, const Login& login);

// The target of a WebSocket's request, and the headers that it needs besides.
std::string TargetFor(const Login& login);
std::vector<std::pair<std::string, std::string>> HeadersFor(const Login& login);

// The plain dialect's text as an event of the model, and a frame as the dialect's text.
v1::Event EventOfPlainText(std::string_view text);
std::string PlainTextOf(const v1::ClientFrame& frame);

}  // namespace crier::testing

#endif  // CRIER_TESTS_PARITY_PEER_H_
