// A client of any transport and dialect, behind one interface: what is sent and what comes are the
// model's own types, and what only one of them knows is left out.
#ifndef CRIER_TESTS_PARITY_PEER_H_
#define CRIER_TESTS_PARITY_PEER_H_

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "crier/v1/message.pb.h"
#include "server/base/outcome.h"

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
};

// Not thread-safe. Reads only when asked.
class Peer {
 public:
  virtual ~Peer() = default;

  virtual void Send(const v1::ClientFrame& frame) = 0;
  // Something that is no frame.
  virtual void SendGarbage() = 0;
  // The next event, without the greeting, the farewell, what differs with time (received_at, a
  // direct message's time), an error's words, and the receiver's own name (`to`), which the plain
  // dialect leaves out. The test fails where none comes.
  virtual v1::Event Next() = 0;
  // Waits for the end of the session.
  virtual Ending WaitForEnd() = 0;
  // What that should be.
  virtual int CodeOf(const OutcomeInfo& info) const = 0;
};

// Sessions that stand when these return. `user`: empty: none.
std::unique_ptr<Peer> MakePlainPeer(const std::string& address, const std::string& user);
std::unique_ptr<Peer> MakeModelPeer(const std::string& address, const std::string& user,
                                    Speech speech);  // kJson or kProto
std::unique_ptr<Peer> MakeGrpcPeer(const std::string& address, const std::string& user);

// The plain dialect's text as an event of the model, and a frame as the dialect's text.
v1::Event EventOfPlainText(std::string_view text);
std::string PlainTextOf(const v1::ClientFrame& frame);

}  // namespace crier::testing

#endif  // CRIER_TESTS_PARITY_PEER_H_
